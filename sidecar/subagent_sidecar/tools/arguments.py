"""What a model puts into a tool's arguments, held against the tool's schema."""

from collections.abc import Mapping
from typing import Any

from ..core.storable import storable
from ..core.toolset import NAMES, Tool, tools
from ..errors import BadBody, NoSuchTool

_TOOLS: Mapping[str, Tool] = {tool.name: tool for tool in tools(())}


def checked(tool: str, given: object) -> dict[str, Any]:
    """The arguments of a call. Raises NoSuchTool, BadBody; both in words for a model."""
    if tool not in _TOOLS:
        raise NoSuchTool(f"there is no tool '{tool[:80]}'; there are: {', '.join(NAMES)}")
    schema = _TOOLS[tool].parameters
    known = schema["properties"]
    if not isinstance(given, dict):
        raise BadBody(f"{tool}: the arguments must be a JSON object")
    for name in given.keys() - known.keys():
        raise BadBody(f"{tool}: there is no argument '{name[:80]}'; there are: {', '.join(known)}")
    for name in schema["required"]:
        if name not in given:
            raise BadBody(f"{tool}: the argument '{name}' is missing")
    return {
        name: _value(f"{tool}: the argument '{name}'", value, known[name])
        for name, value in given.items()
        if value is not None or name in schema["required"]
    }


def _value(what: str, value: object, schema: Mapping[str, Any]) -> Any:
    if schema["type"] == "number":
        return _number(what, value, schema)
    if not isinstance(value, str):
        raise BadBody(f"{what} must be text")
    if not value.strip():
        raise BadBody(f"{what} is empty")
    if "enum" in schema and value not in schema["enum"]:
        raise BadBody(f"{what} must be one of: {', '.join(schema['enum'])}")
    return storable(value)


def _number(what: str, value: object, schema: Mapping[str, Any]) -> float:
    low, high = schema["minimum"], schema["maximum"]
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise BadBody(f"{what} must be a number")
    if not low <= value <= high:  # as it is: an integer may be too long to be made a float
        raise BadBody(f"{what} must be from {low:g} to {high:g}")
    return float(value)
