"""`--server`, `--token` and `--token-file`: where the admin plane is, and how to get in."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from subagentctl.errors import Misused

DEFAULT = "http://127.0.0.1:8461"
_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[A-Za-z0-9._~%:-]+")
_BAD_HOST = "the host name in the URL is not a valid one"
_ADMIN_PORT, _DATA_PORT = 8461, 8460
_LONGEST_TOKEN = 4_096


@dataclass(frozen=True, slots=True)
class Server:
    """A parsed `--server`; `base` is the path in front of `/v1/...`, without a slash at its end."""

    scheme: str
    host: str
    port: int
    base: str = ""

    def __str__(self) -> str:
        return f"{self._origin(self.port)}{self.base}"

    def _origin(self, port: int) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        shown = "" if port == _PORTS[self.scheme] else f":{port}"
        return f"{self.scheme}://{host}{shown}"

    @property
    def data_plane(self) -> str | None:
        """Where subagents point to, known only while both planes keep their default ports."""
        if self.port != _ADMIN_PORT or self.base:
            return None
        return self._origin(_DATA_PORT)


def parse_server(text: str) -> Server:
    """Read an http(s) URL; without a scheme http is meant. Raises ValueError.

    The messages never repeat the text: people paste URLs with passwords in them.
    """
    text = text.strip()
    if "://" not in text:
        text = f"http://{text}"
    if not text.isprintable() or " " in text:
        raise ValueError("the URL holds a space or a control character")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError("that is not a URL like http://127.0.0.1:8461") from error
    if parts.scheme not in _PORTS:
        raise ValueError("the URL must begin with http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("credentials do not belong in the URL, use --token-file")
    if parts.query or parts.fragment:
        raise ValueError("the URL must end after the path, without ? or #")
    return Server(
        scheme=parts.scheme,
        host=_ascii_host(host),
        port=_PORTS[parts.scheme] if port is None else port,
        base=_ascii_path(parts.path.rstrip("/")),
    )


def _ascii_host(host: str | None) -> str:
    if not host:
        raise ValueError("the URL names no host")
    try:
        ascii_host = host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ValueError(_BAD_HOST) from error
    if not _HOST.fullmatch(ascii_host):
        raise ValueError(_BAD_HOST)
    return ascii_host


def _ascii_path(path: str) -> str:
    if not path.isascii():
        raise ValueError("the path of the URL must be percent-encoded")
    return path


def token_in(file: Path) -> str:
    """The token that stands in a file, alone but for a line end. Raises Misused."""
    option = f"--token-file {file}"
    try:
        with file.open("rb") as opened:
            content = opened.read(_LONGEST_TOKEN + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not a path"
        raise Misused(f"{option} cannot be read ({why.lower()}).") from error
    try:
        if len(content) > _LONGEST_TOKEN:
            raise ValueError("is too long for a token")
        token = parse_token(content.decode("latin-1"))
    except ValueError as error:
        raise Misused(f"{option}: {error}.") from error
    if not token:
        raise Misused(f"{option} is empty.")
    return token


def parse_token(text: str) -> str:
    """A bearer token that can stand in a header. Raises ValueError, without repeating it."""
    token = text.strip()
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError("the token may hold only printable ASCII characters and no space")
    return token
