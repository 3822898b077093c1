"""The agent servers, as a file and flags name them."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import config_values as parse
from .. import redaction
from ..tls import ClientFiles
from .headers import HeaderReader, forwarded
from .problems import Problems
from .settings import UpstreamSettings
from .tls import CLIENT_KEYS, TlsReader
from .unknown import unknown

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_KEYS = CLIENT_KEYS | {
    *("url", "agents", "headers", "forward_headers", "pass_client_credentials"),
    *("preserve_host", "inject"),
}


class UpstreamReader:
    """`environ` resolves `${VAR}` in headers, `${file:PATH}` is a file's content."""

    def __init__(self, problems: Problems, environ: Mapping[str, str], tls: TlsReader) -> None:
        self._problems = problems
        self._tls = tls
        self._environ = environ

    @property
    def _folder(self) -> Path:
        """Where relative paths begin."""
        document = self._problems.document
        return Path() if document is None else document.path.parent

    def upstreams(self, given: Any, flags: Sequence[str]) -> tuple[UpstreamSettings, ...]:
        """Those of the file, and those of `flags` (`[NAME=]URL`) in their places."""
        found = {upstream.name: upstream for upstream in self._of_file(given)}
        found.update({upstream.name: upstream for upstream in self._of_flags(flags)})
        if not found and not self._problems.found:
            self._problems.found.append(
                "no upstream: give at least one agent server, as in "
                "`subagent-sidecar serve --upstream http://127.0.0.1:2024`"
            )
        return tuple(found.values())

    def _of_file(self, given: Any) -> Sequence[UpstreamSettings]:
        if not isinstance(given, dict):
            self._problems.add("upstreams", "must map names to servers")
            return ()
        read = [
            self._upstream(str(name), body, f"upstreams.{name}") for name, body in given.items()
        ]
        return [upstream for upstream in read if upstream is not None]

    def _of_flags(self, flags: Sequence[str]) -> Sequence[UpstreamSettings]:
        found = []
        flagged: set[str] = set()
        for flag in flags:
            name, equals, url = flag.partition("=")
            if not equals or "/" in name or ":" in name:
                name, url = "default", flag
            if name in flagged:
                self._problems.found.append(f"--upstream {name}: given twice")
            flagged.add(name)
            shown = f"--upstream {redaction.url(flag)}"
            self._problems.given[shown] = shown
            upstream = self._upstream(name, {"url": url}, shown)
            if upstream is not None:
                found.append(upstream)
        return found

    def _upstream(self, name: str, body: Any, key: str) -> UpstreamSettings | None:
        if not _NAME.fullmatch(name):
            text = "a name has letters, digits, '_', '.', '-' and at most 63 of them"
            self._problems.add(key, text)
            return None
        if isinstance(body, str):
            body = {"url": body}
        if not isinstance(body, dict):
            self._problems.add(key, "must be a URL or a mapping with `url`")
            return None
        for stranger in body.keys() - _KEYS:
            self._problems.add(f"{key}.{stranger}", unknown(stranger, sorted(_KEYS)))
        before = len(self._problems.found)
        read = _Fields(self._problems, key, body)
        own = read.parsed("headers", HeaderReader(self._environ, self._folder).headers, default=())
        host, port, tls, base = read.parsed("url", parse.server_url, default=("", 0, False, ""))
        upstream = UpstreamSettings(
            name=name,
            host=host,
            port=port,
            tls=tls,
            base=base,
            agents=read.parsed("agents", parse.names, default=()),
            headers=tuple((each.name, each.value) for each in own),
            renewable=tuple(each.renewable for each in own if each.renewable is not None),
            forward_headers=read.parsed(
                "forward_headers", parse.unless_null(forwarded), default=None
            ),
            pass_client_credentials=read.parsed(
                "pass_client_credentials", parse.unless_null(parse.flag), default=None
            ),
            preserve_host=read.parsed("preserve_host", parse.flag, default=False),
            inject=read.parsed("inject", parse.flag, default=True),
            tls_files=self._tls.client(key, body, tls=tls) if host else ClientFiles(),
        )
        return upstream if len(self._problems.found) == before else None


@dataclass(frozen=True)
class _Fields:
    problems: Problems
    key: str
    body: Mapping[str, Any]

    def parsed(self, name: str, parse: Callable[[Any], Any], *, default: Any) -> Any:
        if name not in self.body:
            if name == "url":
                self.problems.add(self.key, "`url` is missing")
            return default
        try:
            return parse(self.body[name])
        except ValueError as error:
            where = self.key if self.key.startswith("--") else f"{self.key}.{name}"
            self.problems.add(where, str(error))
            return default
