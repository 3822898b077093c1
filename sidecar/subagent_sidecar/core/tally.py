"""The numbers of `decide`: from the counts that are kept (tallies.py), else from the books."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, Protocol, TypeVar

from .decide import SHOWN
from .facts import Fact
from .gauges import Alike, Live, Started
from .matching import Call
from .model import Timestamp
from .policy import Amounts, Budget, Limit, LimitKind, Policy
from .quick import changed
from .set_back import Books
from .spending import Spending
from .tallies import Place, Tallies
from .verdict import Freeze, Held, Named, Spent

G = TypeVar("G", Live, Started, Alike, Spending)
W = TypeVar("W", Started, Alike, Spending)
R = TypeVar("R", Limit, Budget)


class Source(Books, Protocol):
    """The books, to be counted anew."""

    def facts(self, place: Place, *, since: Timestamp | None = None) -> Iterable[Fact]:
        """Runs on record in a scope, those of `since` or later."""

    def held(self, place: Place) -> Iterable[Fact]:
        """Of those the ones that are live, or hold their task."""

    def on_their_way(self) -> dict[str, Sequence[Fact]]:
        """The starts that are on their way anywhere, by their intents' ids."""

    def live_tasks(self, place: Place) -> Iterable[Call]:
        """The tasks in a scope that are unfinished by their status."""

    def freezes(self) -> Sequence[Freeze]: ...

    def raises(self) -> Mapping[tuple[str, str], Amounts]:
        """What was added to budgets, by the rule's name and the scope's id."""


class Tally:
    """decide.Numbers at one moment of one transaction: `tallies` where they have it, else
    `source`."""

    def __init__(
        self, tallies: Tallies, source: Source, now: Timestamp, policy: Policy | None = None
    ) -> None:
        tallies.asked(now, source, policy)
        self._tallies = tallies
        self._gauges: Mapping[tuple[object, ...], Any] = tallies.gauges
        self._source = source
        self._now = now
        self._read: dict[Place, tuple[Timestamp | None, list[Fact]]] = {}

    def frozen(self, call: Call) -> Freeze | None:
        freezes = self._tallies.freezes
        if freezes is None:
            freezes = self._tallies.freezes = self._source.freezes()
        for freeze in freezes:
            if call.scope_id(freeze.scope) == freeze.scope_id:
                return freeze
        return None

    def live(self, limit: Limit, scope_id: str) -> int:
        known: Live | None = self._gauges.get((id(limit), scope_id, Live))
        return len((self._live(limit, scope_id) if known is None else known).places)

    def _live(self, rule: Limit | Budget, scope_id: str) -> Live:
        key = (id(rule), scope_id, Live)
        known: Live | None = self._gauges.get(key)
        if known is not None:
            return known
        place = _place(rule, scope_id)
        held = chain(self._source.held(place), self._on_their_way(place))
        gauge = self._filled(Live(rule), rule, held)
        for call in self._source.live_tasks(place) if gauge.of_tasks else ():
            if rule.match.fits(call):
                gauge.hold(call.task_id, call)
        return self._tallies.put(key, place, rule, gauge)

    # What every start asks for is looked for here; `_since` is for what is not there.

    def started(self, limit: Limit, scope_id: str, since: Timestamp | None) -> int:
        known: Started | None = self._gauges.get((id(limit), scope_id))
        if known is None or (since is not None and since < known.floor):
            known = self._since(limit, scope_id, since, Started)
        return known.count(since)

    def same(self, limit: Limit, scope_id: str, call: Call, since: Timestamp | None) -> int:
        known: Alike | None = self._gauges.get((id(limit), scope_id))
        if known is None or (since is not None and since < known.floor):
            known = self._since(limit, scope_id, since, Alike)
        return known.count(call, since)

    def spent(self, budget: Budget, scope_id: str, since: Timestamp | None) -> Spent:
        known: Spending | None = self._gauges.get((id(budget), scope_id))
        if known is None or (since is not None and since < known.floor):
            known = self._since(budget, scope_id, since, Spending)
        spent = known.total(since, self._now)
        raises = self._tallies.raises
        if raises is None:
            raises = self._tallies.raises = self._source.raises()
        raised = raises.get((budget.name, scope_id)) if raises else None
        return spent if raised is None else changed(spent, raised=raised)

    def reserved(
        self, budget: Budget, scope_id: str, since: Timestamp | None
    ) -> tuple[tuple[str, Held], ...]:
        return self._spending(budget, scope_id, since).reserved(since, self._now)

    def holders(
        self, budget: Budget, scope_id: str, call: Call, since: Timestamp | None, what: str
    ) -> Named:
        return _shown(self._spending(budget, scope_id, since).holders(what, call, self._now))

    def _spending(self, budget: Budget, scope_id: str, since: Timestamp | None) -> Spending:
        return self._since(budget, scope_id, since, Spending)

    def _since(
        self,
        rule: R,
        scope_id: str,
        since: Timestamp | None,
        new: Callable[[R, Timestamp | None], W],
    ) -> W:
        """The gauge there is, if it has all that is asked for."""
        key = (id(rule), scope_id)
        known: W | None = self._gauges.get(key)
        if known is not None and (since is None or since >= known.floor):
            return known  # else the clock was set back behind what it has let go
        place = _place(rule, scope_id)
        fresh = self._filled(new(rule, since), rule, self._facts(place, since))
        return self._tallies.put(key, place, rule, fresh)

    def _facts(self, place: Place, since: Timestamp | None) -> Iterator[Fact]:
        for fact in chain(self._on_record(place, since), self._on_their_way(place)):
            if since is None or fact.at >= since:
                yield fact

    def _on_record(self, place: Place, since: Timestamp | None) -> Sequence[Fact]:
        """At least what was asked for. Several rules may ask for the same scope: what one of them
        has read is there for the others, as long as one start is decided."""
        floor, facts = self._read.get(place, (since, None))
        if facts is None or (floor is not None and (since is None or since < floor)):
            facts = list(self._source.facts(place, since=since))
            self._read[place] = since, facts
        return facts

    def _on_their_way(self, place: Place) -> Iterator[Fact]:
        pending = self._tallies.pending
        if pending is None:
            pending = self._tallies.pending = self._source.on_their_way()
        for facts in pending.values():
            for fact in facts:
                if fact.call.scope_id(place[0]) == place[1]:
                    yield fact

    def _filled(self, gauge: G, rule: Limit | Budget, facts: Iterable[Fact]) -> G:
        for fact in facts:
            if rule.match.fits(fact.call):
                gauge.move(None, fact)
        return gauge

    def named(self, rule: Limit | Budget, scope_id: str, call: Call) -> Named:
        if isinstance(rule, Limit) and rule.kind is LimitKind.DUPLICATES:
            since = self._tallies.floor((id(rule), scope_id))
            return _shown(self._since(rule, scope_id, since, Alike).named(call))
        return _shown(self._live(rule, scope_id).named(call))

    def eases(
        self, rule: Limit | Budget, scope_id: str, call: Call, since: Timestamp, what: str, by: int
    ) -> Timestamp | None:
        if isinstance(rule, Budget):
            return self._spending(rule, scope_id, since).eases(what, by, self._now)
        if rule.kind is LimitKind.DUPLICATES:
            return self._since(rule, scope_id, since, Alike).eases(call, by)
        return self._since(rule, scope_id, since, Started).eases(by)


def _shown(named: Named) -> Named:
    return Named(tuple(islice(dict.fromkeys(named.tasks), SHOWN)), named.others)


def _place(rule: Limit | Budget, scope_id: str) -> Place:
    assert rule.per is not None, "only what is counted within a scope is asked for"
    return rule.per, scope_id
