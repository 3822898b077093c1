"""Header fields as the config file has them: an upstream's own, and those of clients that cross."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import config_values as parse
from ..core.credential_names import is_secret
from ..core.matching import Glob
from ..own_fields import BadPieces, Renewable, joined

_REFERENCE = re.compile(r"\$\{(?:file:([^}]+)|(?:env:)?([A-Za-z_][A-Za-z0-9_]*))\}")
_GLOB = re.compile(r"[A-Za-z0-9!#$%&'+.^_`|~*?-]+")
_NOT_HERE = (
    "a credential does not stand in this file, which is shown and copied: write ${VARIABLE} for "
    "one of the environment, or ${file:PATH}"
)


@dataclass(frozen=True, slots=True)
class OwnHeader:
    """`renewable` is None for a value that stays."""

    name: str
    value: str = field(repr=False)
    renewable: Renewable | None


@dataclass(frozen=True, slots=True)
class HeaderReader:
    """`folder` is where relative paths begin."""

    environ: Mapping[str, str]
    folder: Path

    def headers(self, given: Any) -> tuple[OwnHeader, ...]:
        """Raises ValueError, which never repeats a value."""
        if not isinstance(given, dict):
            raise ValueError("must map header names to values such as ${AGENT_KEY}")
        found: dict[str, OwnHeader] = {}
        for name, value in given.items():
            parse.header_name(name)
            if name.lower() in found:
                raise ValueError(f"{name} stands twice")
            found[name.lower()] = self._header(name, str(value))
        return tuple(found.values())

    def _header(self, name: str, text: str) -> OwnHeader:
        if is_secret(name) and not _REFERENCE.search(text):
            raise ValueError(f"{name}: {_NOT_HERE}")
        pieces = tuple(self._pieces(text))
        try:
            value = joined(pieces)
        except BadPieces as error:
            raise ValueError(f"{name}: {error}") from error
        if any(ord(char) < 32 or ord(char) > 126 for char in value):
            raise ValueError("a header value must be printable ASCII")
        if is_secret(name) and not value.strip():
            raise ValueError(f"{name}: the value is empty")
        filed = any(isinstance(piece, Path) for piece in pieces)
        return OwnHeader(name, value, Renewable(name, pieces) if filed else None)

    def _pieces(self, text: str) -> Iterator[str | Path]:
        if "${" in _REFERENCE.sub("", text):
            raise ValueError("a value has a `${` that is no ${VARIABLE} and no ${file:PATH}")
        missing = [v for _, v in _REFERENCE.findall(text) if v and v not in self.environ]
        if missing:
            raise ValueError(f"the environment has no {', '.join(missing)}")
        end = 0
        for found in _REFERENCE.finditer(text):
            yield text[end : found.start()]
            yield self.environ[found[2]] if found[1] is None else self._file(found[1])
            end = found.end()
        yield text[end:]

    def _file(self, path: str) -> Path:
        if "\0" in path:
            raise ValueError("a path has no null characters")
        return self.folder / path


def forwarded(given: Any) -> tuple[Glob, ...]:
    """Names of header fields, in which `*` stands for anything."""
    if not isinstance(given, list) or not all(
        isinstance(each, str) and _GLOB.fullmatch(each) for each in given
    ):
        raise ValueError("must be a list of header names, in which `*` stands for anything")
    return tuple(Glob(each.lower()) for each in given)
