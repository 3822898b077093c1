"""What the sidecar shows an upstream of its own: header fields, some of them from files.

A file is read again when it has changed (see `renewals`), and whoever sends the next
request sends what stands in it now. What cannot be used changes nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .ports import Headers
from .secret_files import said, secret_in

Pieces = tuple[str | Path, ...]
"""A field's value: text, and files whose secrets stand in between."""


class BadPieces(ValueError):
    """A value that cannot be had now; says why, and nothing of it."""


def joined(pieces: Pieces) -> str:
    """The value as it is now. Raises BadPieces."""
    return "".join(piece if isinstance(piece, str) else _read(piece) for piece in pieces)


def _read(file: Path) -> str:
    try:
        return secret_in(file)
    except (OSError, ValueError) as error:
        raise BadPieces(said(file, error)) from error


@dataclass(frozen=True, slots=True)
class Renewable:
    """A field whose value comes from files."""

    name: str
    pieces: Pieces

    @property
    def files(self) -> Iterator[Path]:
        return (piece for piece in self.pieces if isinstance(piece, Path))


class OwnFields:
    """`fields` are those of now. Their names never change."""

    def __init__(
        self, given: Sequence[tuple[str, str]] = (), renewable: Sequence[Renewable] = ()
    ) -> None:
        self.fields: Headers = tuple((k.encode("ascii"), v.encode("ascii")) for k, v in given)
        self.names = frozenset(name.lower() for name, _ in self.fields)
        self._renewable = tuple(renewable)

    @property
    def files(self) -> list[Path]:
        return [file for each in self._renewable for file in each.files]

    def renew(self) -> tuple[list[str], list[str]]:
        """Read the files again. Returns the names of the fields that changed, and a sentence for
        everything that cannot be used: there the value stays that was."""
        problems: list[str] = []
        now: dict[bytes, bytes] = {}
        for each in self._renewable:
            try:
                now[each.name.encode("ascii")] = joined(each.pieces).encode("ascii")
            except BadPieces as error:
                problems.append(f"{error} (for {each.name})")
        renewed = tuple((name, now.get(name, value)) for name, value in self.fields)
        changed = [
            name.decode("ascii")
            for (name, new), (_, old) in zip(renewed, self.fields, strict=True)
            if new != old
        ]
        self.fields = renewed
        return changed, problems
