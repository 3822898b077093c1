"""What a route is, in the table of operations; and what several of them take."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .kinds import FLAG, NAME, TEXT, Schema, maybe, said

JSON = "application/json"
_LONGEST_WAIT_S = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """`where` it stands: in the query, in the path, or in the header."""

    name: str
    schema: Schema
    says: str
    where: str = "query"
    required: bool = False
    listed: bool = False
    """Several values, with commas between them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """`refusals` are the statuses of problems besides those that any route may answer."""

    method: str
    path: str
    name: str
    says: str
    answer: Schema
    parameters: tuple[Parameter, ...] = ()
    body: Schema | None = None
    refusals: tuple[int, ...] = ()
    media: Mapping[str, Schema] = field(default_factory=dict)
    """What it answers in other media than JSON; then `answer` may be empty."""
    others: Mapping[int, Schema] = field(default_factory=dict)


def query(name: str, says: str, schema: Schema = TEXT, *, listed: bool = False) -> Parameter:
    return Parameter(name=name, schema=schema, says=says, listed=listed)


def limit(most: int, usual: int) -> Parameter:
    schema = {"type": "integer", "minimum": 1, "maximum": most, "default": usual}
    return query("limit", "how many at most", schema)


ID: Schema = {"type": "string", "minLength": 4}
TASK = Parameter(
    name="task_id",
    schema=ID,
    says="the id, or any unique begin or end of it",
    where="path",
    required=True,
)
SESSION_ID = Parameter(
    name="session_id",
    schema=NAME,
    says="the id; or any unique begin or end, of at least four characters, of one that was alive "
    "within the hour",
    where="path",
    required=True,
)
SESSION = query("session", "only of this session")
AGENT = query("agent", "only of this agent")
UPSTREAM = query("upstream", "only on this upstream")
SUPERVISOR = query("supervisor", "only of this supervisor")
SINCE: Schema = {"type": "string", "format": "date-time"}
CURSOR = query("cursor", "`next_cursor` of the page before")
ALL = query("all", "also what ended, or showed no sign of life, over an hour ago", FLAG)
NUMBER: Schema = {"type": "integer", "minimum": 0, "maximum": 2**62}

REASON = said(maybe(TEXT), "why, in a line; it is kept on record")
_WAIT: Schema = {"type": "number", "minimum": 0, "maximum": _LONGEST_WAIT_S}
HOW = {"reason": REASON, "wait_s": said(_WAIT, "for how long the end is waited for")}
