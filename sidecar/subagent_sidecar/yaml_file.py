"""YAML with line numbers, so that a mistake can be pointed at."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from .errors import ConfigError

# Besides its own error PyYAML lets through whatever its constructors meet in a value whose tag does
# not fit it, as in `!!bool x` or `!!timestamp x`.
_UNREADABLE = (
    yaml.YAMLError,
    *(ValueError, RecursionError, LookupError, AttributeError, TypeError, OverflowError),
)
_MOST_VALUES = 100_000
_LARGEST = 1024 * 1024
"""Bytes. To parse so many takes four seconds, and a sidecar at work serves slowly meanwhile."""


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file. `lines` maps the path of each key, as in `upstreams.a.url`, to its line.

    `problems` are keys that stand twice: the file cannot be used, but whoever reads on may find
    more that is wrong with it.
    """

    path: Path
    data: Any
    lines: dict[str, int]
    problems: list[str] = field(default_factory=list)

    def where(self, key: str) -> str:
        """`file:line: key`, with the line of the nearest key that has one."""
        line = f":{number}" if (number := self.line(key)) else ""
        return f"{self.path}{line}: {key}" if key else f"{self.path}{line}"

    def line(self, key: str) -> int:
        """The line of the nearest key that has one; 0 for the whole file."""
        known = key
        while known and known not in self.lines:
            known = known.rpartition(".")[0]
        return self.lines.get(known, 0)


def load(path: Path) -> Document:
    """Read and parse `path`. Raises ConfigError naming file and line."""
    text = _read(path)
    lines: dict[str, int] = {}
    problems: list[str] = []
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        data = None
        if node is not None:
            # Before the values are made: aliases and merges can ask for more than there is memory.
            _walk_all(node, lines, problems, path)
            data = loader.construct_document(node)
    except _UNREADABLE as error:
        raise ConfigError([_explain(path, error)]) from error
    return Document(path, data, lines, problems)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            found = file.read(_LARGEST + 1)
        if len(found) > _LARGEST:
            raise ConfigError([f"{path}: is larger than a MiB, which is the most a file may be"])
        return found.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError([f"{path}: cannot be read: {reason}"]) from error


def _explain(path: Path, error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"{path}:{error.problem_mark.line + 1}: not valid YAML: {error.problem}"
    if isinstance(error, yaml.YAMLError | ValueError | RecursionError):
        return f"{path}: not valid YAML: {error}"
    return f"{path}: not valid YAML: a value does not fit its tag"


def _walk_all(node: yaml.Node, lines: dict[str, int], problems: list[str], path: Path) -> None:
    try:
        _walk(node, "", lines, problems, path)
    except RecursionError:
        raise ConfigError([f"{path}: it is nested too deeply, or refers to itself"]) from None


def _walk(node: yaml.Node, at: str, lines: dict[str, int], problems: list[str], path: Path) -> None:
    if len(lines) > _MOST_VALUES:
        raise ConfigError(
            [f"{path}: it has more than {_MOST_VALUES:,} values, each alias with all it stands for"]
        )
    if isinstance(node, yaml.MappingNode):
        for key_node, value in node.value:
            key = f"{at}.{key_node.value}" if at else str(key_node.value)
            line = key_node.start_mark.line + 1
            if key in lines:
                problems.append(f"{path}:{line}: {key}: stands twice (first in line {lines[key]})")
            lines[key] = line
            _walk(value, key, lines, problems, path)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            key = f"{at}[{index}]"
            lines[key] = item.start_mark.line + 1
            _walk(item, key, lines, problems, path)
