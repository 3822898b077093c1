"""Dashboards, rules and the compose file, as they come with the sidecar, into a folder."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from subagentctl.errors import Failed

_WANTED = ("compose.yaml", "compose.desktop.yaml", "alerts/*.yaml", "compose/**/*.y*ml")
_PATTERNS = (*_WANTED, "grafana/*.json")
_NAMED = 3
"""How many files in the way are named; the others are counted."""


@dataclass(frozen=True, slots=True)
class Exported:
    """Paths as they are below the folder."""

    folder: Path
    written: Sequence[str]
    unchanged: Sequence[str]


def bundled() -> Path:
    """A wheel carries them; an editable installation sees the checkout instead."""
    package = Path(str(resources.files("subagent_sidecar")))
    carried = package / "_bundled" / "dashboards"
    return carried if carried.is_dir() else package.parent.parent / "dashboards"


def contents(source: Path) -> dict[str, bytes]:
    """What is exported, by its path below the folder."""
    found = sorted({path for pattern in _PATTERNS for path in source.glob(pattern)})
    if not found:
        raise Failed(f"this installation lacks its dashboards: there is nothing in {source}.")
    return {path.relative_to(source).as_posix(): path.read_bytes() for path in found}


def export(folder: Path, files: Mapping[str, bytes], *, force: bool) -> Exported:
    """Write the files, or none of them: what stands there and differs is kept, unless `force`.
    Raises Failed."""
    try:
        differ, same = _standing(folder, files)
        if differ and not force:
            raise Failed(
                f"{_some(differ)} in {folder} would be overwritten: nothing was written. Name "
                f"another folder, or use --force."
            )
        written = [name for name in files if name not in same]
        for name in written:
            _put(folder / name, files[name])
    except OSError as error:
        place = error.filename2 or error.filename or folder
        raise Failed(f"{place} cannot be written: {error.strerror}.") from error
    return Exported(folder, written, same)


def _standing(folder: Path, files: Mapping[str, bytes]) -> tuple[list[str], list[str]]:
    """Of what is there already: what differs, and what is as it is to be."""
    differ: list[str] = []
    same: list[str] = []
    for name, content in files.items():
        path = folder / name
        if not os.path.lexists(path):
            continue
        alike = path.is_file() and path.read_bytes() == content
        (same if alike else differ).append(name)
    return differ, same


def _some(names: Sequence[str]) -> str:
    named, more = names[:_NAMED], len(names) - _NAMED
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")


def _put(path: Path, content: bytes) -> None:
    """The whole file or none, and in the place of a link, not where it leads: not of one either
    that was laid where the file is made."""
    _make(path.parent)
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    try:
        with beside.open("xb") as made:
            made.write(content)
        beside.chmod(0o644)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def _make(folder: Path) -> None:
    """The programs in containers are other users: whatever the umask, they may read."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir()
        folder.chmod(0o755)
