"""Single settings as people write them. Each parser raises ValueError with what is wanted."""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from . import redaction
from .core.policy_names import BUNDLED, NONE

T = TypeVar("T")

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_ORIGIN = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^/?#@\s]+")
_HOST = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?")
_NOT_TO_SET = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "upgrade", "expect", "te"}
)


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int

    @property
    def url(self) -> str:
        return self.url_as("http")

    def url_as(self, scheme: str) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}"


def server_url(
    text: Any,
    *,
    example: str = "http://127.0.0.1:2024",
    secrets: str = "put them under the upstream's `headers`",
) -> tuple[str, int, bool, str]:
    """(host, port, whether by TLS, base path). `secrets` says where credentials belong."""
    form = f"must be a URL such as {example}"
    if not isinstance(text, str):
        raise ValueError(form)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{form} ({error})") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(form)
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"must not hold credentials; {secrets}")
    if parts.query or parts.fragment:
        raise ValueError("must not have a query or a fragment")
    if not text.isascii() or any(ord(char) <= 32 for char in text):
        raise ValueError("must be ASCII without spaces (punycode and percent-encode the rest)")
    tls = parts.scheme == "https"
    return parts.hostname, port or (443 if tls else 80), tls, parts.path.rstrip("/")


def otlp_endpoint(text: Any) -> str:
    """The URL of a collector, or the console. Raises ValueError."""
    if text != "console":
        server_url(
            text,
            example="http://127.0.0.1:4318, or `console`, which needs no collector",
            secrets="put them into the variable OTEL_EXPORTER_OTLP_HEADERS",
        )
    return str(text)


def address(text: Any) -> Address:
    """HOST:PORT, `[::1]:8460` and `:8460` (loopback) included. Raises ValueError."""
    if not isinstance(text, str):
        raise ValueError("must be HOST:PORT")
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65_535:
        raise ValueError(f"{_shown(text)} is not HOST:PORT")
    return Address(host.strip("[]") or "127.0.0.1", int(port))


def is_loopback(given: Address) -> bool:
    """Whether nobody on another machine can reach it."""
    if given.host == "localhost":
        return True
    try:
        return ipaddress.ip_address(given.host).is_loopback
    except ValueError:
        return False


def store(text: Any) -> str:
    if text == "memory:" or (
        isinstance(text, str) and text.startswith("sqlite:///") and len(text) > len("sqlite:///")
    ):
        return str(text)
    raise ValueError(f"{_shown(text)} is not a store; use sqlite:///PATH or memory:")


def _shown(given: object) -> str:
    """What was given: it may be a URL with a password, which is left out."""
    return repr(redaction.url(given) if isinstance(given, str) else given)


def header_name(name: Any) -> str:
    if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a header name")
    if name.lower() in _NOT_TO_SET:
        raise ValueError(f"{name} is set by the sidecar itself")
    return name


def some(parse: Callable[[Any], T]) -> Callable[[Any], T]:
    """`parse`, refusing zero."""

    def parsed(given: Any) -> T:
        found = parse(given)
        if not found:
            raise ValueError("must be more than 0")
        return found

    return parsed


def unless_null(parse: Callable[[Any], T]) -> Callable[[Any], T | None]:
    """`parse`, where nothing may be said."""
    return lambda given: None if given is None else parse(given)


def or_off(parse: Callable[[Any], str]) -> Callable[[Any], str]:
    """`parse`, where `off` may be said; without quotes YAML takes that for false."""
    return lambda given: parse("off" if given is False else given)


def policies(folder: Path) -> Callable[[Any], tuple[str, ...]]:
    """One policy or several: names of bundled ones, or paths, which start at `folder`. Empty for
    the word that stands for no rules."""

    def parse(given: Any) -> tuple[str, ...]:
        listed = [given] if isinstance(given, str) else given
        if not isinstance(listed, list | tuple) or not all(
            isinstance(each, str) and each for each in listed
        ):
            raise ValueError(f"must be one policy or a list: a path, {', '.join(BUNDLED)}")
        if not listed:
            raise ValueError(f"names no policy; `{NONE}` turns all rules off")
        if NONE not in listed:
            return tuple(each if each in BUNDLED else _path(folder / each) for each in listed)
        if len(listed) > 1:
            raise ValueError(f"`{NONE}` turns all rules off and stands alone")
        return ()

    return parse


def _path(path: Path) -> str:
    """`path` as nobody can take it for the name of a bundled policy."""
    return f"./{path}" if str(path) in BUNDLED else str(path)


def path(folder: Path) -> Callable[[Any], Path]:
    """A file; relative ones start at `folder`."""

    def parse(given: Any) -> Path:
        if not isinstance(given, str) or not given or "\0" in given:
            raise ValueError("must be the path of a file")
        return folder / given

    return parse


def names(given: Any) -> tuple[str, ...]:
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        raise ValueError("must be a list of agent names")
    return tuple(given)


def origins(given: Any) -> tuple[str, ...]:
    """Origins as browsers send them, or `*`."""
    form = "must be a list of origins such as https://app.example, or of `*`"
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise ValueError(form)
    for each in given:
        if each != "*" and not _ORIGIN.fullmatch(each):
            raise ValueError(f"{_shown(each)} is no origin: {form}")
    return tuple(each.lower() for each in given)


def hosts(given: Any) -> tuple[str, ...]:
    """Names of hosts, as requests give them; ports play no part."""
    form = "must be a list of host names such as sidecar.example, without a port"
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise ValueError(form)
    for each in given:
        if not _HOST.fullmatch(each):
            raise ValueError(f"{each!r} is no host name: {form}")
    return tuple(each.lower().rstrip(".") for each in given)


def flag(given: Any) -> bool:
    if not isinstance(given, bool):
        raise ValueError("must be true or false")
    return given


def on_or_off(given: Any) -> bool:
    """Words of flags and variables; without quotes YAML takes them for true and false."""
    found = {"on": True, "off": False}.get(given) if isinstance(given, str) else given
    if not isinstance(found, bool):
        raise ValueError("must be on or off")
    return found


def count(given: Any) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise ValueError("must be a whole number from 1")
    return given


def one_of(*words: str) -> Callable[[Any], str]:
    def parse(given: Any) -> str:
        if given not in words:
            raise ValueError(f"{given!r} is none of: {', '.join(words)}")
        return str(given)

    return parse
