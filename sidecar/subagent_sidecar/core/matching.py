"""Whom a rule is about: matches with globs, and the scopes within which things are counted."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import translate
from operator import attrgetter, eq, ge, gt, le, lt, ne
from typing import Any

from .quick import quick


class Scope(StrEnum):
    """Within what a rule counts. TREE: a root task and everything started from it, however far
    down. GLOBAL: everything on record."""

    TASK = "task"
    SESSION = "session"
    SUPERVISOR = "supervisor"
    AGENT = "agent"
    UPSTREAM = "upstream"
    TREE = "tree"
    GLOBAL = "global"


EVERYTHING = "*"
"""The id of the one global scope."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A start as the rules see it, and likewise a task that is there.

    `task_id` is None for a task that is only about to be: its runs and its tree are still empty.
    `tree_id` is the root task's id. `fingerprint` is equal for equal instructions; None where the
    instruction was not read. `update`: a follow-up to a task that is there; `wakes`: and that had
    ended, so that it is live once more.
    """

    agent: str
    upstream: str
    supervisor: str
    session: str
    depth: int = 0
    task_id: str | None = None
    tree_id: str | None = None
    fingerprint: str | None = None
    update: bool = False
    wakes: bool = False

    def scope_id(self, scope: Scope) -> str | None:
        """Which one of its kind; None where there is nothing yet to count in."""
        found: str | None = SCOPE_ID[scope](self)
        return found


SCOPE_ID: Mapping[Scope, Callable[[Call], Any]] = {
    Scope.TASK: attrgetter("task_id"),
    Scope.SESSION: attrgetter("session"),
    Scope.SUPERVISOR: attrgetter("supervisor"),
    Scope.AGENT: attrgetter("agent"),
    Scope.UPSTREAM: attrgetter("upstream"),
    Scope.TREE: attrgetter("tree_id"),
    Scope.GLOBAL: lambda call: EVERYTHING,
}
"""Call.scope_id, a kind at a time."""


def same_caller(call: Call, other: Call) -> bool:
    """Whether both are the same session's: one knows of the other's tasks, and may cancel them."""
    return call.session == other.session and call.supervisor == other.supervisor


@dataclass(frozen=True, slots=True)
class Glob:
    """`*` stands for any characters, `?` for one; everything else, brackets and case included,
    for itself."""

    text: str
    _regex: "re.Pattern[str] | None" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        plain = not set(self.text) & {"*", "?"}
        # fnmatch's translation never backtracks: what is matched may come from anybody.
        regex = None if plain else re.compile(translate(self.text.replace("[", "[[]")))
        object.__setattr__(self, "_regex", regex)

    def fits(self, text: str) -> bool:
        return self.text == text if self._regex is None else bool(self._regex.match(text))


class Comparison(StrEnum):
    EQUAL = "=="
    UNEQUAL = "!="
    AT_MOST = "<="
    AT_LEAST = ">="
    BELOW = "<"
    ABOVE = ">"


_HOLDS = {
    Comparison.EQUAL: eq,
    Comparison.UNEQUAL: ne,
    Comparison.AT_MOST: le,
    Comparison.AT_LEAST: ge,
    Comparison.BELOW: lt,
    Comparison.ABOVE: gt,
}


@dataclass(frozen=True, slots=True)
class Depth:
    """A comparison with the depth, such as `>=1`."""

    comparison: Comparison
    value: int

    def fits(self, depth: int) -> bool:
        return bool(_HOLDS[self.comparison](depth, self.value))

    def __str__(self) -> str:
        return f"{self.comparison}{self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Every key that is set must fit; of several globs one must."""

    agent: tuple[Glob, ...] = ()
    upstream: tuple[Glob, ...] = ()
    supervisor: tuple[Glob, ...] = ()
    session: tuple[Glob, ...] = ()
    depth: Depth | None = None

    def fits(self, call: Call) -> bool:
        return self is ANYTHING or (
            _any(self.agent, call.agent)
            and _any(self.upstream, call.upstream)
            and _any(self.supervisor, call.supervisor)
            and _any(self.session, call.session)
            and (self.depth is None or self.depth.fits(call.depth))
        )


def _any(globs: tuple[Glob, ...], text: str) -> bool:
    return not globs or any(glob.fits(text) for glob in globs)


ANYTHING = Match()
