"""YAML with line numbers, so that a mistake can be pointed at."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from .errors import ConfigError


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
        known = key
        while known and known not in self.lines:
            known = known.rpartition(".")[0]
        line = f":{self.lines[known]}" if known in self.lines else ""
        return f"{self.path}{line}: {key}" if key else f"{self.path}{line}"


def load(path: Path) -> Document:
    """Read and parse `path`. Raises ConfigError naming file and line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError([f"{path}: cannot be read: {reason}"]) from error
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError([_explain(path, error)]) from error
    lines: dict[str, int] = {}
    problems: list[str] = []
    try:
        if node is not None:
            _walk(node, "", lines, problems, path)
    except RecursionError:
        raise ConfigError([f"{path}: it is nested too deeply, or refers to itself"]) from None
    return Document(path, data, lines, problems)


def _explain(path: Path, error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"{path}:{error.problem_mark.line + 1}: not valid YAML: {error.problem}"
    return f"{path}: not valid YAML: {error}"


def _walk(node: yaml.Node, at: str, lines: dict[str, int], problems: list[str], path: Path) -> None:
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
