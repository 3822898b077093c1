"""`--ca`, `--cert`, `--key`: how an https admin plane is known, and what it is shown."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from subagentctl.errors import Misused


@dataclass(frozen=True, slots=True)
class Trust:
    """Files in PEM. Without a `ca` the machine's own authorities are trusted, and there is no way
    to trust everybody. A `cert` may hold its key."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Raises Misused."""
        context = self._trusting()
        if self.key is not None and self.cert is None:
            raise Misused("--key is the key of a --cert, which is missing.")
        if self.cert is not None:
            self._show(context, self.cert)
        return context

    def _trusting(self) -> ssl.SSLContext:
        _readable("--ca", self.ca)
        try:
            return ssl.create_default_context(cafile=self.ca)
        except (ssl.SSLError, OSError) as error:
            raise Misused(f"--ca {self.ca} holds no certificate in PEM.") from error

    def _show(self, context: ssl.SSLContext, cert: Path) -> None:
        _readable("--cert", cert)
        _readable("--key", self.key)

        def encrypted() -> NoReturn:
            raise Misused("the key is encrypted; decrypt it first, as with `openssl pkey`.")

        try:
            context.load_cert_chain(cert, self.key, password=encrypted)
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                raise Misused("the key does not belong to the certificate of --cert.") from error
            where = self.key or cert
            raise Misused(f"no certificate with its key in PEM in {cert} and {where}.") from error


def _readable(option: str, path: Path | None) -> None:
    if path is None:
        return
    try:
        path.read_bytes()
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise Misused(f"{option} {path} cannot be read ({why}).") from error
