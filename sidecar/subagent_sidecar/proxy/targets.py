"""What a request's target says: whose it is to answer, and what it means."""

import re
from typing import NamedTuple

from ..core import routing, wire
from ..core.wire import Act, Meaning
from ..errors import BadTarget

_ABSOLUTE = re.compile(r"https?://[^/?]*", re.IGNORECASE)
_USUAL = re.compile(r"/threads/([A-Za-z0-9_-]+)/runs(?:/([A-Za-z0-9_-]+))?")
"""Of a thread and a run, in characters that mean nothing but themselves."""
_OWN = "/sidecar"


class Route(NamedTuple):
    """`raw_target` and its path are without the `prefix` that names an upstream; `path` is decoded.
    What is `own` is answered by the sidecar itself, and means nothing else."""

    own: bool
    prefix: str | None
    raw_target: str
    raw_path: str
    path: str
    meaning: Meaning


def route(method: str, target: str) -> Route:
    """Where a request goes. Raises BadTarget."""
    usual = _USUAL.fullmatch(target)
    if usual is not None:  # most requests, and all that they could say otherwise is known
        thread_id, run_id = usual.groups()
        if run_id is None and method == "POST":
            meaning = Meaning(Act.RUN_START, thread_id)
            return Route(False, None, target, target, target, meaning)
        if run_id is not None and method == "GET":
            meaning = Meaning(Act.RUN_GET, thread_id, run_id)
            return Route(False, None, target, target, target, meaning)
    return read(method, target)


def read(method: str, target: str) -> Route:
    """The same of any request."""
    prefix, raw_target = routing.split_prefix(_origin_form(method, target))
    raw_path = raw_target.partition("?")[0]
    if prefix is None and _is_own(raw_path):
        return Route(True, prefix, raw_target, raw_path, raw_path, wire.OTHER)
    path = wire.decoded_path(raw_path)
    return Route(False, prefix, raw_target, raw_path, path, wire.recognise(method, path))


def _is_own(path: str) -> bool:
    return path == _OWN or path.startswith(_OWN + "/")


def _origin_form(method: str, target: str) -> str:
    """The request target as path and query, whatever form it came in. Its authority, like Host,
    decides nothing."""
    if method == "CONNECT":
        raise BadTarget("the sidecar is not a tunnel: CONNECT is not served")
    if "#" in target:
        raise BadTarget("a request target has no fragment: send '#' as %23")
    if target.startswith("/") or target == "*":
        return target
    if absolute := _ABSOLUTE.match(target):
        path = target[absolute.end() :]
        return path if path.startswith("/") else "/" + path
    raise BadTarget("the request target is neither a path nor an http URL")
