"""The settings that name certificates and keys. The files are looked into: what cannot be used is a
mistake of the configuration like any other, and found before anything listens."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import config_values as parse
from ..tls import BadFile, ClientFiles, ServerFiles, client_context, server_context
from .problems import Problems

_CERT, _KEY, _CA = "tls_cert", "tls_key", "tls_client_ca"
_ADMIN = "admin_"
CLIENT_KEYS = frozenset({"tls_ca", "tls_cert", "tls_key", "tls_verify"})


class TlsReader:
    def __init__(self, problems: Problems) -> None:
        self._problems = problems

    def listeners(self, values: Mapping[str, Any]) -> tuple[ServerFiles | None, ServerFiles | None]:
        """Of the data plane, and of the admin plane: there the same unless it has its own."""
        told = len(self._problems.found)
        data = {key: self._path(key, values[key]) for key in (_CERT, _KEY, _CA)}
        own = {key: self._path(_ADMIN + key, values[_ADMIN + key]) for key in (_CERT, _KEY, _CA)}
        if len(self._problems.found) > told:
            return None, None
        named = {key: key for key in data}
        plain = self._server(data, named)
        replaced = [key for key in (_CERT, _KEY) if own[_CERT] or own[_KEY]]  # they go together
        replaced += [_CA] if own[_CA] else []
        if not replaced:
            return plain, plain
        if _CERT not in replaced and len(self._problems.found) > told:
            return plain, None  # it would be told twice
        admin = data | {key: own[key] for key in replaced}
        return plain, self._server(admin, named | {key: _ADMIN + key for key in replaced})

    def _server(
        self, paths: Mapping[str, Path | None], names: Mapping[str, str]
    ) -> ServerFiles | None:
        cert, key, client_ca = (paths[each] for each in (_CERT, _KEY, _CA))
        if not self._paired(cert, key, names[_CERT], names[_KEY]):
            return None
        if cert is None or key is None:
            if client_ca is not None:
                text = f"needs `{names[_CERT]}` and `{names[_KEY]}`"
                self._problems.add(names[_CA], text)
            return None
        files = ServerFiles(cert=cert, key=key, client_ca=client_ca)
        try:
            server_context(files)
        except BadFile as error:
            part = {"cert": names[_CERT], "key": names[_KEY], "ca": names[_CA]}[error.part]
            self._problems.add(part, str(error))
        return files

    def client(self, place: str, body: Mapping[str, Any], *, tls: bool) -> ClientFiles:
        """Of the upstream that stands at `place`. `tls`: its URL is https."""
        before = len(self._problems.found)
        usual = {"tls_verify": (None, True)}
        given = {key for key in CLIENT_KEYS if body.get(key) not in usual.get(key, (None,))}
        if given and not tls:
            for name in sorted(given):
                self._problems.add(f"{place}.{name}", "the url is not https")
            return ClientFiles()
        ca, cert, key = (
            self._path(f"{place}.{name}", body.get(name))
            for name in ("tls_ca", "tls_cert", "tls_key")
        )
        said = body.get("tls_verify", True)
        verify = self._problems.read(f"{place}.tls_verify", said, parse.flag)
        self._paired(cert, key, f"{place}.tls_cert", f"{place}.tls_key")
        if verify is False and ca is not None:
            text = "with `false` nothing is held against `tls_ca`: one of the two has to go"
            self._problems.add(f"{place}.tls_verify", text)
        if len(self._problems.found) > before:
            return ClientFiles()
        files = ClientFiles(ca=ca, cert=cert, key=key, verify=bool(verify))
        try:
            if given:
                client_context(files)
        except BadFile as error:
            self._problems.add(f"{place}.tls_{error.part}", str(error))
        return files

    def _paired(self, cert: Path | None, key: Path | None, cert_name: str, key_name: str) -> bool:
        """Whether there are both or neither; what is missing is told."""
        if (cert is None) == (key is None):
            return True
        there, missing = (cert_name, key_name) if key is None else (key_name, cert_name)
        self._problems.add(there, f"needs `{missing.rpartition('.')[2]}`, too")
        return False

    def _path(self, key: str, given: Any) -> Path | None:
        """Relative ones start where the config file is."""
        document = self._problems.document
        folder = Path() if document is None else document.path.parent
        path: Path | None = self._problems.read(key, given, parse.unless_null(parse.path(folder)))
        return path
