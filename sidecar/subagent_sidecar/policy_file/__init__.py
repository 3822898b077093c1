"""Policy files -> core.policy.Policy; every problem of all of them at once."""

from collections.abc import Sequence
from pathlib import Path

from ..core.policy import Policy, merged
from ..core.policy_names import BUNDLED as NAMES
from ..errors import ConfigError
from ..yaml_file import Document
from ..yaml_file import load as load_yaml
from . import contradictions
from .bundled import find, folder
from .fields import Source
from .reading import Reader

__all__ = ["NAMES", "find", "folder", "load", "parse"]


def load(files: Sequence[Path]) -> Policy:
    """The policies in `files` as one, in that order. Raises ConfigError with every problem."""
    problems = [f"{path}: is given twice" for path in _twice(files)]
    documents: list[Document] = []
    for path in dict.fromkeys(files):
        try:
            documents.append(load_yaml(path))
        except ConfigError as error:
            problems += [f"{problem}{_hint(path)}" for problem in error.problems]
    return parse(documents, problems)


def _hint(path: Path) -> str:
    """For a name without a file, which may be meant as that of a bundled policy."""
    if path.name != str(path) or path.suffix or path.exists():
        return ""
    return f"; and it is none of the bundled policies {', '.join(NAMES)}"


def parse(documents: Sequence[Document], problems: Sequence[str] = ()) -> Policy:
    """The policies in `documents` as one. Raises ConfigError with every problem, beginning with
    those that are known already."""
    sources = [Source(document) for document in documents]
    readers = [Reader(source, _policy_name(source.document.path)) for source in sources]
    policy = merged([reader.read() for reader in readers])
    contradictions.check(sources, [placed for reader in readers for placed in reader.placed])
    twice = (problem for source in sources for problem in source.document.problems)
    found = [*problems, *twice, *(problem for source in sources for problem in source.problems)]
    if found:
        raise ConfigError(found)
    return policy


def _policy_name(path: Path) -> str:
    """The file's name without its ending, fit to be shown: refusals carry it."""
    return "".join(char if char.isprintable() else "?" for char in path.stem)


def _twice(files: Sequence[Path]) -> list[Path]:
    return sorted(path for path in set(files) if files.count(path) > 1)
