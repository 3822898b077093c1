"""Certificates for one test: an authority, and what it signs, as files in PEM.

pki = Pki(tmp_path)
pki.ca                      # the authority's certificate
pki.server("localhost")     # Pair(cert, key): files
pki.trusting()              # an ssl.SSLContext that trusts the authority alone
"""

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Pair:
    cert: Path
    key: Path

    def renewed_by(self, other: "Pair") -> None:
        """Put the other's in their places, as a tool that renews certificates would."""
        other.cert.replace(self.cert)
        other.key.replace(self.key)


class Pki:
    """An authority of its own; its files are in `folder`."""

    def __init__(self, folder: Path, name: str = "pki") -> None:
        self._folder = folder / name
        self._folder.mkdir()
        self._authority = trustme.CA()
        self._made = 0
        self.ca = self._folder / "ca.pem"
        self._authority.cert_pem.write_to_path(str(self.ca))

    def pair(self, *names: str) -> Pair:
        """A certificate for host names and addresses, with its key; good for either side."""
        self._made += 1
        issued = self._authority.issue_cert(*names)
        pair = Pair(self._folder / f"{self._made}.crt", self._folder / f"{self._made}.key")
        pair.cert.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(str(pair.key))
        return pair

    def trusting(self, shown: Pair | None = None) -> ssl.SSLContext:
        """A client's context; `shown` is its own certificate."""
        context = ssl.create_default_context(cafile=str(self.ca))
        if shown is not None:
            context.load_cert_chain(shown.cert, shown.key)
        return context

    def serving(self, *names: str, clients_of: "Pki | None" = None) -> ssl.SSLContext:
        """A server's context; of clients it wants a certificate of `clients_of`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        pair = self.pair(*names)
        context.load_cert_chain(pair.cert, pair.key)
        if clients_of is not None:
            context.load_verify_locations(clients_of.ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context
