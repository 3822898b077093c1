"""TLS contexts made of files in PEM, with what is wrong with those files said in words.

What holds for all of them: TLS 1.2 or newer, and HTTP/1.1 as the only protocol on offer, since no
other is spoken here on either side.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

_HTTP = ["http/1.1"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFiles:
    """What a listener shows, and whose clients' certificates it takes: it asks for none without a
    `client_ca`, and takes nobody without one from it otherwise."""

    cert: Path
    key: Path
    client_ca: Path | None = None

    @property
    def all(self) -> tuple[Path, ...]:
        return tuple(path for path in (self.cert, self.key, self.client_ca) if path is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientFiles:
    """How a server is known, and what it is shown. `ca` takes the place of the machine's own list;
    `verify` is whether its certificate, and the name in it, is held against anything at all."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    verify: bool = True


Part = Literal["cert", "key", "ca"]


class BadFile(ValueError):
    """A file cannot be used; `part` is which, and the text follows the name of its setting."""

    def __init__(self, part: Part, text: str) -> None:
        super().__init__(text)
        self.part = part


def server_context(files: ServerFiles) -> ssl.SSLContext:
    """For a listener. Raises BadFile."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    _http_only(context)
    context.options |= ssl.OP_NO_RENEGOTIATION
    _show(context, files.cert, files.key)
    if files.client_ca is not None:
        _trust(context, files.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
        # No resumption: a certificate that is not trusted any more would live on in a ticket.
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
    return context


def client_context(files: ClientFiles) -> ssl.SSLContext:
    """For connections to a server. Raises BadFile."""
    if files.ca is None:
        context = ssl.create_default_context()
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _trust(context, files.ca)
    _http_only(context)
    if files.cert is not None:
        _show(context, files.cert, files.key or files.cert)
    if not files.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class Renewable:
    """A listener's context that can be made anew while connections come in.

    The listener keeps `context` for good; each connection is moved from it, before anything is
    shown or asked for, to the one that was made last. Those that are open stay as they are.
    """

    def __init__(self, files: ServerFiles) -> None:
        """Raises BadFile."""
        self.files = files
        self.context = server_context(files)
        self._newest = self.context
        self.context.sni_callback = self._move

    def renew(self) -> None:
        """Read the files again. Raises BadFile; then all is as it was."""
        self._newest = server_context(self.files)

    def _move(
        self, connection: ssl.SSLSocket | ssl.SSLObject, name: str | None, _: ssl.SSLContext
    ) -> None:
        """Called for every connection, whether its client names a host or not."""
        connection.context = self._newest


def _http_only(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(_HTTP)


def _trust(context: ssl.SSLContext, ca: Path) -> None:
    _read("ca", ca)
    try:
        context.load_verify_locations(ca)
    except (ssl.SSLError, OSError) as error:
        raise BadFile("ca", f"{ca} holds no certificate in PEM") from error


def _show(context: ssl.SSLContext, cert: Path, key: Path) -> None:
    _read("cert", cert)
    secret = _read("key", key)

    def encrypted() -> NoReturn:
        raise BadFile("key", f"the key in {key} is encrypted: nobody is there to type a passphrase")

    try:
        # Without a function of ours OpenSSL would ask for a passphrase at the terminal.
        context.load_cert_chain(cert, key, password=encrypted)
    except ssl.SSLError as error:
        raise _mistake(error, cert, key, secret) from error


def _mistake(error: ssl.SSLError, cert: Path, key: Path, secret: bytes) -> BadFile:
    if error.reason == "KEY_VALUES_MISMATCH":
        return BadFile("key", f"the key in {key} does not belong to the certificate in {cert}")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cert)
    except ssl.SSLError:
        return BadFile("cert", f"{cert} holds no certificate in PEM")
    if b"PRIVATE KEY-----" not in secret:
        return BadFile("key", f"{key} holds no private key in PEM")
    return BadFile("key", f"{cert} and {key} cannot be used ({error.reason or 'unreadable'})")


def _read(part: Part, path: Path) -> bytes:
    """What is in it; OpenSSL would not say which file it could not read, nor why."""
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not a path"
        raise BadFile(part, f"{path} cannot be read ({why.lower()})") from error
