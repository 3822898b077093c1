"""`push` of the config file: who is told of the ends of tasks. Secrets never stand in it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..core.matching import Glob
from ..core.push.addresses import AllowList
from ..core.push.signing import secrets_in
from ..core.push.targets import STATUSES, Target
from ..secret_files import utf8_in
from .settings import PushSettings
from .unknown import unknown

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_GLOBS = ("agents", "sessions", "supervisors")
_KEYS = ("name", "url", "secret_env", "secret_file", *_GLOBS, "events")


class PushMistakes(ValueError):
    """`found` are (key, what is wrong there); keys as in `0.url`."""

    def __init__(self, found: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(text for _, text in found))
        self.found = tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class PushReader:
    """`folder` is where relative paths begin."""

    allow: AllowList
    environ: Mapping[str, str]
    folder: Path

    def push(self, given: Any) -> tuple[PushSettings, ...]:
        """Raises PushMistakes with every mistake there is."""
        if not isinstance(given, list):
            raise PushMistakes([("", "must be a list of targets, each with a `name` and a `url`")])
        mistakes: list[tuple[str, str]] = []
        found: dict[str, PushSettings] = {}
        for index, each in enumerate(given):
            wrong = list(self._mistakes(each))
            if not wrong and each["name"] in found:
                wrong = [("name", f"'{each['name']}' stands twice")]
            mistakes += [(f"{index}.{key}".rstrip("."), text) for key, text in wrong]
            if not wrong:
                found[each["name"]] = self._settings(each)
        if mistakes:
            raise PushMistakes(mistakes)
        return tuple(found.values())

    def _mistakes(self, given: Any) -> Iterator[tuple[str, str]]:
        if not isinstance(given, dict):
            yield "", "must be a mapping with a `name` and a `url`"
            return
        for key in given.keys() - set(_KEYS):
            yield str(key), unknown(key, _KEYS)
        for key in ("name", "url"):
            if not isinstance(given.get(key), str):
                yield "", f"`{key}` is missing, or is no text"
                return
        if not _NAME.fullmatch(given["name"]):
            yield "name", "has letters, digits, '_', '.', '-' and at most 63 of them"
        yield from self._url_mistakes(given["url"])
        yield from self._secret_mistakes(given)
        for key in _GLOBS:
            if not _is_texts(given.get(key, [])):
                yield key, "must be a list of names, in which `*` stands for anything"
        events = given.get("events", list(STATUSES))
        if not _is_texts(events) or not events or not set(events) <= set(STATUSES):
            yield "events", f"must be a list of: {', '.join(STATUSES)}"

    def _url_mistakes(self, url: str) -> Iterator[tuple[str, str]]:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            yield "url", f"must be a URL ({error})"
            return
        host = parts.hostname
        if parts.scheme not in ("http", "https") or not host or port == 0:
            yield "url", "must be a URL such as https://hooks.example.com/subagents"
        elif not url.isascii() or any(ord(char) <= 32 for char in url):
            yield "url", "must be ASCII without spaces (punycode and percent-encode the rest)"
        elif parts.username is not None or parts.password is not None or parts.fragment:
            yield "url", "must not hold credentials, nor a fragment; pushes are signed"
        elif not self.allow.may_allow(host):
            yield "url", f"`push_allow` names neither {host} nor a range it could be in"

    def _secret_mistakes(self, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        if "secret_env" not in given and "secret_file" not in given:
            yield "", "`secret_env` or `secret_file` is missing"
        for key, read in (("secret_env", self._of_environ), ("secret_file", self._of_file)):
            if key not in given:
                continue
            try:
                read(given[key])
            except OSError as error:
                yield key, f"cannot be read: {error.strerror}"
            except ValueError as error:
                yield key, str(error)

    def _of_environ(self, given: Any) -> tuple[bytes, ...]:
        names = [given] if isinstance(given, str) else given
        if not _is_texts(names) or not names:
            raise ValueError("must be the name of a variable, or a list of names")
        missing = [name for name in names if name not in self.environ]
        if missing:
            raise ValueError(f"the environment has no {', '.join(missing)}")
        return tuple(secret for name in names for secret in secrets_in(self.environ[name]))

    def _of_file(self, given: Any) -> Path:
        """Read now so that a mistake is found now; what counts is what it holds at each push."""
        if not isinstance(given, str) or not given:
            raise ValueError("must be the path of a file")
        path = self.folder / given
        secrets_in(utf8_in(path))
        return path

    def _settings(self, given: Mapping[str, Any]) -> PushSettings:
        globs = {key: tuple(Glob(text) for text in given.get(key, [])) for key in _GLOBS}
        return PushSettings(
            target=Target(
                name=given["name"],
                statuses=frozenset(given.get("events", STATUSES)),
                **globs,
            ),
            url=given["url"],
            secrets=self._of_environ(given["secret_env"]) if "secret_env" in given else (),
            secret_file=self._of_file(given["secret_file"]) if "secret_file" in given else None,
        )


def _is_texts(given: Any) -> bool:
    return isinstance(given, list) and all(isinstance(each, str) and each for each in given)
