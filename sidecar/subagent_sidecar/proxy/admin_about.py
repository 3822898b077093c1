"""What a request of the admin plane is about, in words that can stand on record.

Only what the table of routes names is taken out of a body: what is asked of agents is nobody's
business.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from aiohttp import web

from ..core.storable import storable
from ..redaction import scrubbed

BODY = web.RequestKey("body", dict[str, Any])
"""What a request says, once its route has read it."""
_CAME_TO = web.RequestKey("came_to", dict[str, Any])

_LONGEST, _MOST = 256, 20
_LARGEST = 2**53


def came_to(request: web.Request, **what: object) -> None:
    """Say what the words of a request were found to mean; `task_id` is the one task it is about."""
    request[_CAME_TO] = {**request.get(_CAME_TO, {}), **what}


def task_of(request: web.Request) -> str | None:
    task_id = request.get(_CAME_TO, {}).get("task_id")
    return task_id if isinstance(task_id, str) else None


def target_of(request: web.Request, keys: Iterable[str]) -> dict[str, Any]:
    """By the path, by these keys of the body, and by what they came to."""
    said = {**dict(request.match_info), **dict(_in_body(request.get(BODY, {}), keys))}
    said |= request.get(_CAME_TO, {})
    return {key: _plain(value) for key, value in said.items() if value is not None}


def _in_body(body: Mapping[str, Any], keys: Iterable[str]) -> Iterator[tuple[str, Any]]:
    for key in keys:
        value: Any = body
        for part in key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value is not None:
            yield key.rpartition(".")[2], value


def _plain(value: Any) -> Any:
    """What every store can hold and every reader may see: people paste keys where ids belong."""
    match value:
        case bool():
            return value
        case int() if abs(value) < _LARGEST:
            return value
        case list() | tuple():
            return [_plain(each) for each in value[:_MOST] if not isinstance(each, list | tuple)]
        case str():
            return scrubbed(storable(value))[:_LONGEST]
        case _:
            return storable(str(value))[:_LONGEST]
