"""What somebody may ask for who does not see every task, by the request alone.

    judged(method, path, raw_path, meaning) -> Ruling

The default is no. A request goes through because somebody has understood what it can show or
change: a route that servers add tomorrow, or one that an application has added to its own, is
closed until it stands in a table here. What rulings ask for (whose a thread is) is looked up by
`proxy/guard.py`.

Ids are taken as servers take them: langgraph-api reads a thread's id in any spelling of a UUID, so
that `{01A2...}` is the thread `01a2...`, and whose that is must not hang on how it is written.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from .quick import changed
from .wire import Act, Meaning, recognise


class Rule(StrEnum):
    """What must hold for a request to be sent on."""

    OPEN = "open"
    """Nothing: it shows and changes nothing of anybody's."""
    OWN = "own"
    """The thread, and the run if there is one, are the caller's."""
    START = "start"
    """So is the thread; or there is none, or none of that id anywhere, and it becomes so."""
    CREATE = "create"
    """The same of a thread that is to be made under an id which the body may give."""
    COPY = "copy"
    """OWN; what comes of it is the caller's, too."""
    LIST = "list"
    """Nothing, but of the threads that are found it is shown its own."""
    CANCEL = "cancel"
    """The runs that the body names are the caller's."""
    A2A = "a2a"
    """The contexts that the message names are as with START, or OWN."""
    MCP = "mcp"
    """The message is one of those that ask for no thread."""
    CLOSED = "closed"
    """It sees every task."""


class Ruling(NamedTuple):
    """`meaning` has its ids in the one spelling that they are on record by."""

    rule: Rule
    meaning: Meaning


BY_ACT: Mapping[Act, Rule | None] = {
    Act.THREAD_CREATE: Rule.CREATE,
    Act.THREAD_GET: Rule.OWN,
    Act.THREAD_STATE: Rule.OWN,
    Act.THREAD_SEARCH: Rule.LIST,
    Act.THREAD_DELETE: Rule.OWN,
    Act.THREAD_STREAM: Rule.OWN,
    Act.RUN_START: Rule.START,
    Act.RUN_GET: Rule.OWN,
    Act.RUN_LIST: Rule.OWN,
    Act.RUN_JOIN: Rule.OWN,
    Act.RUN_STREAM: Rule.OWN,
    Act.RUN_CANCEL: Rule.OWN,
    Act.RUN_DELETE: Rule.OWN,
    Act.RUNS_BATCH: Rule.START,
    Act.RUNS_CANCEL: Rule.CANCEL,
    # What a cron starts goes past the sidecar: its maker could neither see nor stop it.
    Act.CRON_CREATE: Rule.CLOSED,
    Act.CRON_CHANGE: Rule.CLOSED,
    Act.COMMAND: Rule.START,
    Act.COMMAND_SOCKET: Rule.START,
    Act.A2A: Rule.A2A,
    Act.MCP: Rule.MCP,
    # Another's task would run by it.
    Act.ASSISTANT_CHANGE: Rule.CLOSED,
    Act.OTHER: None,
}
"""None: see `_of_path`."""

_AS_GET = frozenset({"HEAD", "OPTIONS"})
"""What these tell of a path is nothing that GET does not."""

_ABOUT_THE_SERVER = frozenset(
    {"/", "/ok", "/info", "/docs", "/openapi.json", "/.well-known/agent-card.json"}
)
_OF_ASSISTANTS = frozenset({"graph", "subgraphs", "schemas"})
_CARDS = frozenset({"agent-card.json", "agent.json"})


def judged(method: str, path: str, raw_path: str, meaning: Meaning) -> Ruling:
    """`path` is `raw_path` as `wire.decoded_path` has it, and `meaning` what it means."""
    if method in _AS_GET:
        method, meaning = "GET", recognise("GET", path)
    meaning = _on_record(meaning)
    if _is_ambiguous(path, raw_path):
        return Ruling(Rule.CLOSED, meaning)
    rule = BY_ACT[meaning.act]
    if rule is None:
        rule = _of_path(method, path.split("/")[1:])
    elif meaning.act is Act.COMMAND_SOCKET and "/runs/" in path:
        rule = Rule.CLOSED  # of a run: nobody is known to serve it any more
    return Ruling(rule, meaning)


def spelt(given: str) -> str:
    """An id as it is on record, however it was written. What no store can hold is none."""
    try:
        return str(UUID(given))
    except ValueError:
        return given.encode("utf-8", "replace").decode("utf-8")


def _on_record(meaning: Meaning) -> Meaning:
    """With its ids in the spelling of the record."""
    thread_id, run_id = meaning.thread_id, meaning.run_id
    if thread_id is None:
        return meaning
    thread, run = spelt(thread_id), None if run_id is None else spelt(run_id)
    if (thread, run) == (thread_id, run_id):
        return meaning
    return changed(meaning, thread_id=thread, run_id=run)


def _is_ambiguous(path: str, raw_path: str) -> bool:
    """Whether servers that decode less, or more, would see another path than we do."""
    return "%" in path or "\\" in path or "%2f" in raw_path.lower()


def _of_path(method: str, parts: list[str]) -> Rule:
    """Of a request that means nothing to the books."""
    match method, parts:
        case "GET", _ if "/" + "/".join(parts) in _ABOUT_THE_SERVER:
            return Rule.OPEN
        case "GET", ["a2a", _, ".well-known", card] if card in _CARDS:
            return Rule.OPEN
        case "GET", ["assistants", _]:
            return Rule.OPEN
        case "GET", ["assistants", _, about, *rest] if about in _OF_ASSISTANTS and len(rest) < 2:
            return Rule.OPEN
        case "POST", ["assistants", "search" | "count"] | ["assistants", _, "versions"]:
            return Rule.OPEN
        case "POST", ["threads", _, "copy"]:
            return Rule.COPY
        case "POST", ["threads", _, "stream", "events"]:
            return Rule.START  # clients listen before they start
        case "GET", ["threads", _, "state", _]:
            return Rule.OWN
        case _, ["threads", _, *rest] if (method, *rest) in _OF_A_THREAD:
            return Rule.OWN
        case _:
            return Rule.CLOSED


_OF_A_THREAD = frozenset(
    {
        ("PATCH",),
        ("GET", "storage"),
        ("POST", "state"),
        ("PATCH", "state"),
        ("POST", "state", "checkpoint"),
        ("GET", "history"),
        ("POST", "history"),
    }
)
"""What else there is of one thread: method and what follows its id."""
