"""What an Agent Protocol request means, from its method and path alone.

Recognition must see what the server will see. Servers decode percent-encoding before they route
and some merge slashes, so `/threads/x/%72uns` starts a run as surely as `/threads/x/runs` does.
We therefore recognise on the decoded, merged path and forward the raw one. Recognising too much
is harmless (the server's answer decides), recognising too little would let a start pass unseen.

Dot segments are the one thing refused: no client sends them, and under an upstream's base path
they would reach outside it.
"""

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qs, unquote

from ..errors import BadTarget
from .quick import quick


class Act(StrEnum):
    """What a request does. OTHER is passed on without a second look."""

    THREAD_CREATE = "thread_create"
    THREAD_GET = "thread_get"
    THREAD_STATE = "thread_state"
    THREAD_SEARCH = "thread_search"
    THREAD_DELETE = "thread_delete"
    THREAD_STREAM = "thread_stream"
    RUN_START = "run_start"
    RUN_GET = "run_get"
    RUN_LIST = "run_list"
    RUN_JOIN = "run_join"
    RUN_STREAM = "run_stream"
    RUN_CANCEL = "run_cancel"
    RUN_DELETE = "run_delete"
    RUNS_BATCH = "runs_batch"
    RUNS_CANCEL = "runs_cancel"
    CRON_CREATE = "cron_create"
    CRON_CHANGE = "cron_change"
    COMMAND = "command"
    COMMAND_SOCKET = "command_socket"
    A2A = "a2a"
    MCP = "mcp"
    ASSISTANT_CHANGE = "assistant_change"
    OTHER = "other"


class Form(StrEnum):
    """How a start answers: at once with the run, as a stream, or when the run has ended."""

    CREATE = "create"
    STREAM = "stream"
    WAIT = "wait"


@quick
@dataclass(frozen=True, slots=True)
class Meaning:
    """`form` is set on starts. `thread_id` is None on stateless ones. `assistant_id` is set where
    the path names one."""

    act: Act
    thread_id: str | None = None
    run_id: str | None = None
    form: Form = Form.CREATE
    assistant_id: str | None = None


OTHER = Meaning(Act.OTHER)
STARTS = frozenset({Act.RUN_START, Act.RUNS_BATCH, Act.CRON_CREATE})
DOORS = frozenset({Act.COMMAND, Act.A2A, Act.MCP})
"""Requests that start something if their body says so."""

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_FORMS = {"stream": Form.STREAM, "wait": Form.WAIT}


def decoded_path(raw: str) -> str:
    """The path as a server routes it: decoded once, slashes merged, no slash at the end.

    `raw` is the request target without its query. Raises BadTarget for dot segments.
    """
    path = unquote(raw) if "%" in raw else raw
    if not path.isascii():
        # What is not UTF-8 stands there as lone surrogates, which no store can hold.
        path = path.encode("utf-8", "replace").decode("utf-8")
    if "/." in path or "\\" in path:
        segments = path.replace("\\", "/").split("/")
        if "." in segments or ".." in segments:
            raise BadTarget("the path has '.' or '..' segments; send the path they resolve to")
    while "//" in path:
        path = path.replace("//", "/")
    return path.rstrip("/") or "/"


def recognise(method: str, path: str) -> Meaning:
    """What `method` on `path` (from `decoded_path`) means."""
    match path.split("/")[1:]:
        case ["threads"] if method == "POST":
            return Meaning(Act.THREAD_CREATE)
        case ["threads", "search"] if method == "POST":
            return Meaning(Act.THREAD_SEARCH)
        case ["threads", thread_id, *rest]:
            return _on_thread(method, thread_id, rest)
        case ["runs", *rest] if method == "POST":
            return _stateless(rest)
        case ["runs", "crons", _] if method == "PATCH":
            return Meaning(Act.CRON_CHANGE)
        case ["a2a", assistant_id] if method == "POST":
            return Meaning(Act.A2A, form=Form.WAIT, assistant_id=assistant_id)
        case ["mcp"] if method == "POST":
            return Meaning(Act.MCP, form=Form.WAIT)
        case ["assistants", *_, "search" | "count" | "versions"]:
            return OTHER
        case ["assistants", *_] if method not in _READS:
            return Meaning(Act.ASSISTANT_CHANGE)
        case _:
            return OTHER


def _on_thread(method: str, thread_id: str, rest: list[str]) -> Meaning:
    match method, rest:
        case "GET", ["runs", run_id]:
            return Meaning(Act.RUN_GET, thread_id, run_id)
        case "POST", ["runs"]:
            return Meaning(Act.RUN_START, thread_id)
        case "POST", ["runs", "stream" | "wait" as form]:
            return Meaning(Act.RUN_START, thread_id, form=_FORMS[form])
        case "POST", ["runs", "crons"]:
            return Meaning(Act.CRON_CREATE, thread_id)
        case "POST", ["runs", run_id, "cancel"]:
            return Meaning(Act.RUN_CANCEL, thread_id, run_id)
        case "GET", []:
            return Meaning(Act.THREAD_GET, thread_id)
        case "GET", ["state"]:
            return Meaning(Act.THREAD_STATE, thread_id)
        case "GET", ["runs"]:
            return Meaning(Act.RUN_LIST, thread_id)
        case "GET", ["runs", run_id, "join"]:
            return Meaning(Act.RUN_JOIN, thread_id, run_id)
        case "GET", ["runs", run_id, "stream"]:
            return Meaning(Act.RUN_STREAM, thread_id, run_id)
        case "GET", ["stream"]:
            return Meaning(Act.THREAD_STREAM, thread_id)
        case "POST", ["commands"]:
            return Meaning(Act.COMMAND, thread_id)
        case "GET", ["stream", "events"] | ["runs", _, "protocol"]:
            return Meaning(Act.COMMAND_SOCKET, thread_id)
        case "DELETE", ["runs", run_id]:
            return Meaning(Act.RUN_DELETE, thread_id, run_id)
        case "DELETE", []:
            return Meaning(Act.THREAD_DELETE, thread_id)
        case _:
            return Meaning(Act.OTHER, thread_id)


def _stateless(rest: list[str]) -> Meaning:
    match rest:
        case []:
            return Meaning(Act.RUN_START)
        case ["stream" | "wait" as form]:
            return Meaning(Act.RUN_START, form=_FORMS[form])
        case ["batch"]:
            return Meaning(Act.RUNS_BATCH)
        case ["cancel"]:
            return Meaning(Act.RUNS_CANCEL)
        case ["crons"]:
            return Meaning(Act.CRON_CREATE)
        case _:
            return OTHER


def rolls_back(raw_target: str) -> bool:
    """Whether a cancel asks for the run to be taken back, not just stopped."""
    return "rollback" in parse_qs(raw_target.partition("?")[2]).get("action", ())


def ids_in_location(location: str) -> tuple[str | None, str | None]:
    """(thread id, run id) named by a `Content-Location` such as `/threads/T/runs/R`."""
    parts = location.split("?", 1)[0].split("/")
    thread_id = _after(parts, "threads")
    return thread_id, _after(parts, "runs")


def _after(parts: list[str], word: str) -> str | None:
    """The part that follows the last `word`."""
    for index in range(len(parts) - 2, -1, -1):
        if parts[index] == word:
            return parts[index + 1] or None
    return None
