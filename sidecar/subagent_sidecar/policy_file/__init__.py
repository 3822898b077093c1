"""Policy files -> core.policy.Policy; every problem of all of them at once."""

from collections.abc import Sequence
from pathlib import Path

from ..core.policy import Policy, merged
from ..errors import ConfigError
from ..yaml_file import load as load_yaml
from . import contradictions
from .bundled import NAMES, find, folder
from .fields import Source
from .reading import Reader
from .rules import Placed

__all__ = ["NAMES", "find", "folder", "load"]


def load(files: Sequence[Path]) -> Policy:
    """The policies in `files` as one, in that order. Raises ConfigError with every problem."""
    problems = [f"{path}: is given twice" for path in _twice(files)]
    parts: list[Policy] = []
    placed: list[Placed] = []
    sources: list[Source] = []
    for path in dict.fromkeys(files):
        try:
            source = Source(load_yaml(path))
        except ConfigError as error:
            problems += error.problems
            continue
        reader = Reader(source, path.stem)
        parts.append(reader.read())
        placed += reader.placed
        sources.append(source)
    contradictions.check(sources, placed)
    for source in sources:
        problems += source.problems
    if problems:
        raise ConfigError(problems)
    return merged(parts)


def _twice(files: Sequence[Path]) -> list[Path]:
    return sorted(path for path in set(files) if files.count(path) > 1)
