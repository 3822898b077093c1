"""Counts that are kept between transactions instead of being made for each.

A count is made from a query the first time somebody asks, and moved by every change from then on
(`moved`). It is exact as long as every change to the books is told: whoever keeps a `Tallies` has
to `forget` it when a transaction is rolled back, and when others have written to the same books.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

from .facts import Fact, Unit
from .gauges import Alike, Live, Started
from .matching import ANYTHING, SCOPE_ID, Call, Match, Scope
from .model import Timestamp
from .policy import Amounts, Budget, Limit, Policy
from .set_back import Books, WallClock
from .spending import Spending
from .verdict import Freeze

_Gauge = Live | Started | Alike | Spending
G = TypeVar("G", Live, Started, Alike, Spending)
Place = tuple[Scope, str]
"""One scope: its kind and its id."""
_MOST_GAUGES = 50_000
_MOST_TOLD = 50_000
"""Facts; budgets with a window keep each, some 900 bytes."""


class _Peers:
    """The gauges of one scope: all of them, those of unfinished tasks, and those that know facts by
    what they are about. Each with what it has to match, None for anything. `rules` are theirs, so
    that the id() in a key stays its own."""

    __slots__ = ("all", "begin", "by_unit", "rules", "tasks")

    def __init__(self) -> None:
        self.rules: list[Limit | Budget] = []
        self.all: list[tuple[Match | None, _Gauge]] = []
        self.begin: list[tuple[Match | None, Callable[[Fact], None]]] = []
        self.tasks: list[tuple[Match | None, Live]] = []
        self.by_unit: list[tuple[Match | None, Live | Spending]] = []

    def put(self, rule: Limit | Budget, gauge: _Gauge) -> None:
        match = None if rule.match is ANYTHING else rule.match
        self.rules.append(rule)
        self.all.append((match, gauge))
        self.begin.append((match, gauge.begin))
        if isinstance(gauge, Live) and gauge.of_tasks:
            self.tasks.append((match, gauge))
        if isinstance(gauge, Live | Spending) and gauge.by_unit:
            self.by_unit.append((match, gauge))

    def without(self, gauge: _Gauge) -> "_Peers":
        left = _Peers()
        for rule, (_, peer) in zip(self.rules, self.all, strict=True):
            if peer is not gauge:
                left.put(rule, peer)
        return left


class Tallies:
    """Counts by rule and scope, all of them true until `forget`."""

    def __init__(self) -> None:
        self.gauges: dict[tuple[object, ...], _Gauge] = {}
        """By the id() of the rule and the scope's; to be read after `settle` only."""
        self._in: dict[Scope, dict[str, _Peers]] = {}
        self._scopes: list[tuple[Callable[[Call], Any], dict[str, _Peers]]] = []
        self._version = -1
        self._told = 0
        self._policy: Policy | None = None
        self.left: Fact | None = None
        """A start that is on its way no more. It has most likely arrived: its run comes next."""
        self._clock = WallClock()
        self.pending: dict[str, Sequence[Fact]] | None = None
        self.freezes: Sequence[Freeze] | None = None
        self.raises: Mapping[tuple[str, str], Amounts] | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing is kept at all."""
        return not self.gauges and self.pending is None and self.freezes is None

    def true_of(self, version: int) -> None:
        """Keep the counts if the books are at `version` still, whatever that is a number of."""
        if version != self._version:
            self.forget()
            self._version = version

    def asked(self, now: Timestamp, books: Books, policy: Policy | None) -> None:
        """They are going to be read. By the rules of `policy`, if it is one that starts go by."""
        if policy is not None and (policy is not self._policy or self._told >= _MOST_TOLD):
            self._serve(policy)
        if self._clock.reads(now, books):  # it was set back
            self.forget()
        if self.left is not None:
            self._settle()

    def forget(self) -> None:
        """Count anew from now on."""
        self._drop_gauges()
        self.pending = self.left = None
        self.freezes = self.raises = None

    def _serve(self, policy: Policy) -> None:
        """Let go of what only the rules of another policy ask for; and of everything once much has
        come together, for scopes that nobody starts in any more are never asked about again."""
        if self._told >= _MOST_TOLD:
            self._drop_gauges()
        if policy is not self._policy and (policy.limits or policy.budgets):
            self._policy = policy
            self._drop_gauges()

    def _drop_gauges(self) -> None:
        self._told = 0
        self.gauges.clear()
        self._in.clear()
        self._scopes.clear()

    def moved(self, old: Fact | None, new: Fact | None) -> None:
        """A fact has changed, begun to be (`old` is None) or is none any more (`new`)."""
        if (left := self.left) is not None:
            self.left = None
            if old is None and new is not None and _became(left, new):
                old = left
            else:
                self._move(left, None)
        if new is None:
            self.left = old  # a start that has arrived: the run comes next
        else:
            self._move(old, new)

    def begun(self, new: Fact) -> None:
        """`moved`, of a start that is on its way from now on."""
        if self.left is not None:
            self.moved(None, new)
            return
        self._told += 1
        call = new.call
        for id_in, places in self._scopes:
            peers = places.get(id_in(call))
            if peers is None:
                continue
            for match, begin in peers.begin:
                if match is None or match.fits(call):
                    begin(new)

    def arrived(self, unit: Unit, *, with_task: bool = False) -> None:
        """The start that left is the run `unit`, which counts what it counted. `with_task`: so is
        its task, which has begun with it."""
        start, self.left = cast(Fact, self.left), None
        call = start.call
        for id_in, places in self._scopes:
            peers = places.get(id_in(call))
            if peers is None:
                continue
            for match, gauge in peers.by_unit:
                if match is None or match.fits(call):
                    gauge.renamed(start.unit, unit)
            if with_task:
                for match, live in peers.tasks:
                    if match is None or match.fits(call):
                        live.hold(call.task_id, call)

    def _move(self, old: Fact | None, new: Fact | None) -> None:
        if old is None:
            self._told += 1
        call = (new or cast(Fact, old)).call
        for id_in, places in self._scopes:
            peers = places.get(id_in(call))
            if peers is None:
                continue
            for match, gauge in peers.all:
                if match is None or match.fits(call):
                    gauge.move(old, new)

    def _settle(self) -> None:
        """Be up to date with what was told last."""
        left, self.left = self.left, None
        self._move(left, None)

    def task_moved(self, call: Call, *, live: bool) -> None:
        """A task has become unfinished, or is finished."""
        for id_in, places in self._scopes:
            peers = places.get(id_in(call))
            if peers is None:
                continue
            for match, gauge in peers.tasks:
                if match is not None and not match.fits(call):
                    continue
                if live:
                    gauge.hold(call.task_id, call)
                else:
                    gauge.let_go(call.task_id)

    def floor(self, key: tuple[object, ...]) -> Timestamp | None:
        """From when on a gauge with a window counts."""
        return getattr(self.gauges.get(key), "floor", "") or None

    def put(self, key: tuple[object, ...], place: Place, rule: Limit | Budget, gauge: G) -> G:
        """Keep a gauge that has just been filled."""
        if len(self.gauges) >= _MOST_GAUGES:
            self._drop_gauges()  # what is on its way is still told
        earlier, self.gauges[key] = self.gauges.get(key), gauge
        places = self._places(place[0])
        peers = places.get(place[1]) or _Peers()
        places[place[1]] = peers = peers if earlier is None else peers.without(earlier)
        peers.put(rule, gauge)
        return gauge

    def _places(self, scope: Scope) -> dict[str, _Peers]:
        places = self._in.get(scope)
        if places is None:
            places = self._in[scope] = {}
            self._scopes.append((SCOPE_ID[scope], places))
        return places


def _became(left: Fact, new: Fact) -> bool:
    """Whether a start on its way is the run that is told next."""
    return left.at == new.at and left.call == new.call
