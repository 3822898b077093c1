"""Counts that are kept between transactions instead of being made for each.

A count is made from a query the first time somebody asks, and moved by every change from then on
(`moved`). It is exact as long as every change to the books is told: whoever keeps a `Tallies` has
to `forget` it when a transaction is rolled back, and when others have written to the same books.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

from .facts import Fact, Unit
from .gauges import Alike, Live, Started
from .matching import ANYTHING, SCOPE_ID, Call, Scope
from .model import Timestamp
from .policy import Amounts, Budget, Limit, Policy
from .quick import changed
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
    """The gauges of one scope: all of them, those of what is live, and those that know facts by
    what they are about. With each its rule, so that its id() in a key stays its own."""

    __slots__ = ("all", "by_unit", "live")

    def __init__(self) -> None:
        self.all: list[tuple[Limit | Budget, _Gauge]] = []
        self.live: list[tuple[Limit | Budget, Live]] = []
        self.by_unit: list[tuple[Limit | Budget, _Gauge]] = []

    def put(self, rule: Limit | Budget, gauge: _Gauge, instead: _Gauge | None) -> None:
        kept = [peer for peer in self.all if peer[1] is not instead]
        self.all = [*kept, (rule, gauge)]
        self.live = [(peer, one) for peer, one in self.all if isinstance(one, Live)]
        self.by_unit = [peer for peer in self.all if peer[1].by_unit]


class Tallies:
    """Counts by rule and scope, all of them true until `forget`."""

    def __init__(self) -> None:
        self._gauges: dict[tuple[object, ...], _Gauge] = {}
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
    def idle(self) -> bool:
        """Whether nothing is counted that could move."""
        return not self._gauges

    @property
    def empty(self) -> bool:
        """Whether nothing is kept at all."""
        return not self._gauges and self.pending is None and self.freezes is None

    def true_of(self, version: int) -> None:
        """Keep the counts if the books are at `version` still, whatever that is a number of."""
        if version != self._version:
            self.forget()
            self._version = version

    def it_is(self, now: Timestamp, books: Books) -> None:
        """Count anew if the clock was set back."""
        if self._clock.reads(now, books):
            self.forget()

    def forget(self) -> None:
        """Count anew from now on."""
        self._drop_gauges()
        self.pending = self.left = None
        self.freezes = self.raises = None

    def serve(self, policy: Policy) -> None:
        """Let go of what only the rules of another policy ask for; and of everything once much has
        come together, for scopes that nobody starts in any more are never asked about again."""
        if self._told >= _MOST_TOLD:
            self._drop_gauges()
        if policy is not self._policy and (policy.limits or policy.budgets):
            self._policy = policy
            self._drop_gauges()

    def _drop_gauges(self) -> None:
        self._told = 0
        self._gauges.clear()
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

    def arrived(self, unit: Unit) -> None:
        """The start that left is the run `unit`, which counts what it counted."""
        start, self.left = cast(Fact, self.left), None
        run = None
        for id_in, places in self._scopes:
            peers = places.get(id_in(start.call))
            if peers is None:
                continue
            for rule, gauge in peers.by_unit:
                if rule.match is ANYTHING or rule.match.fits(start.call):
                    run = run or changed(start, unit=unit)
                    gauge.move(start, run)

    def _move(self, old: Fact | None, new: Fact | None) -> None:
        if old is None:
            self._told += 1
        call = (new or cast(Fact, old)).call
        for id_in, places in self._scopes:
            peers = places.get(id_in(call))
            if peers is None:
                continue
            for rule, gauge in peers.all:
                if rule.match is ANYTHING or rule.match.fits(call):
                    gauge.move(old, new)

    def settle(self) -> None:
        """Be up to date with what was told last; before anything is read."""
        if (left := self.left) is not None:
            self.left = None
            self._move(left, None)

    def task_moved(self, call: Call, *, live: bool) -> None:
        """A task has become unfinished, or is finished."""
        for id_in, places in self._scopes:
            peers = places.get(id_in(call))
            if peers is None:
                continue
            for rule, gauge in peers.live:
                if rule.match is ANYTHING or rule.match.fits(call):
                    gauge.task(call, live=live)

    def get(self, key: tuple[object, ...]) -> _Gauge | None:
        if self.left is not None:
            self.settle()
        return self._gauges.get(key)

    def floor(self, key: tuple[object, ...]) -> Timestamp | None:
        """From when on a gauge with a window counts."""
        floor: Timestamp | None = getattr(self._gauges.get(key), "floor", None)
        return floor

    def put(self, key: tuple[object, ...], place: Place, rule: Limit | Budget, gauge: G) -> G:
        """Keep a gauge that has just been filled."""
        if len(self._gauges) >= _MOST_GAUGES:
            self._drop_gauges()  # what is on its way is still told
        earlier = self._gauges.get(key)
        self._gauges[key] = gauge
        self._places(place[0]).setdefault(place[1], _Peers()).put(rule, gauge, earlier)
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
