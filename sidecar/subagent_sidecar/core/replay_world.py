"""The books of a replayed policy: what would be on record, had it been in force. In memory."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from heapq import heappop, heappush

from .facts import Fact, Unit, microseconds
from .matching import Call, Scope
from .model import Event, Timestamp
from .past import PastStart
from .policy import Amounts, Budget, Limit, Policy
from .quick import changed
from .tallies import Place, Tallies
from .tally import Tally
from .verdict import Freeze, Named

_BEGAN, _ENDED, _LEFT = range(3)


class World:
    """tally.Source over the starts that were let in, and the time that passes there.

    A run begins and ends when it did on record, and what it used is known from its end on. It
    holds its task itself (Fact.holds), so there are no unfinished tasks beside it.
    """

    def __init__(self, policy: Policy) -> None:
        counted: list[Limit | Budget] = [*policy.limits, *policy.budgets]
        self._scopes = {rule.per for rule in counted if rule.per is not None}
        self._tallies = Tallies()
        self._facts: dict[Unit, Fact] = {}
        self._in: dict[Place, dict[Unit, None]] = {}
        self._holding: Counter[str | None] = Counter()
        self._to_come: list[tuple[Timestamp, int, Unit, PastStart]] = []

    def numbers(self, now: Timestamp) -> Tally:
        return _Numbers(self._tallies, self, now)

    def holds(self, task_id: str | None) -> bool:
        """Whether the task is unfinished."""
        return self._holding[task_id] > 0

    def enter(self, start: PastStart) -> None:
        """A start was let in: it counts from now on."""
        unit = (start.task_id, start.run_id)
        self._put(Fact(unit=unit, call=start.call, at=start.at))
        moments = ((start.started_at, _BEGAN), (start.ended_at, _ENDED), (start.left_at, _LEFT))
        for at, what in moments:
            if at is not None and not (start.at_large and what is _LEFT):
                heappush(self._to_come, (at, what, unit, start))

    def enter_unmade(self, unit: Unit, call: Call, at: Timestamp) -> None:
        """A start that was refused on record would have been let in. Nobody knows how long it would
        have gone on and what it would have used: it counts as a start, and as nothing else."""
        self._put(Fact(unit=unit, call=call, at=at, live=False, holds=False, open=False))

    def withdraw(self, start: PastStart) -> None:
        """A start is refused after all, with the rest of its batch."""
        unit = (start.task_id, start.run_id)
        fact = self._facts.pop(unit)
        self._holding[fact.call.task_id] -= fact.holds
        for place in self._places(fact.call):
            del self._in[place][unit]
        self._tallies.moved(fact, None)

    def pass_to(self, now: Timestamp) -> None:
        """Let happen what happened up to `now`."""
        while self._to_come and self._to_come[0][0] <= now:
            _, what, unit, start = heappop(self._to_come)
            fact = self._facts.get(unit)
            if fact is not None:
                self._put(_moved(fact, what, start))

    def _put(self, fact: Fact) -> None:
        old = self._facts.get(fact.unit)
        if old is None:
            for place in self._places(fact.call):
                self._in.setdefault(place, {})[fact.unit] = None
        self._facts[fact.unit] = fact
        self._holding[fact.call.task_id] += fact.holds - (old is not None and old.holds)
        self._tallies.moved(old, fact)

    def _places(self, call: Call) -> Iterable[Place]:
        for scope in self._scopes:
            scope_id = call.scope_id(scope)
            if scope_id is not None:
                yield scope, scope_id

    # tally.Source

    def facts(self, place: Place, *, since: Timestamp | None = None) -> Iterable[Fact]:
        for unit in self._in.get(place, ()):
            fact = self._facts[unit]
            if since is None or fact.at >= since:
                yield fact

    def held(self, place: Place) -> Iterable[Fact]:
        runs = place[0] is Scope.TASK
        return (fact for fact in self.facts(place) if fact.holds or (runs and fact.live))

    def on_their_way(self) -> dict[str, Sequence[Fact]]:
        return {}

    def live_tasks(self, place: Place) -> Iterable[Call]:
        return ()

    def freezes(self) -> Sequence[Freeze]:
        return ()

    def raises(self) -> Mapping[tuple[str, str], Amounts]:
        return {}

    # set_back.Books: a replay's time never goes back

    def last_told(self) -> Timestamp | None:
        return None

    def counted_after(self, moment: Timestamp) -> Mapping[Unit, Timestamp]:
        return {}

    def count_as_of(self, moments: Mapping[Unit, Timestamp]) -> None: ...

    def add_event(self, event: Event) -> None: ...


def _moved(fact: Fact, what: int, start: PastStart) -> Fact:
    if what == _BEGAN:
        return changed(fact, began=start.started_at)
    if what == _LEFT:
        return changed(fact, holds=False)
    return changed(
        fact,
        live=start.at_large,
        open=not start.settled,
        micro_usd=start.cost_micro_usd,
        tokens=start.tokens,
        run_time=worked(start) or 0,
        began=None,
        unpriced=start.unpriced > 0,
    )


def worked(start: PastStart) -> int | None:
    """How long it was at work, in microseconds; None while it is not over."""
    if start.ended_at is None:
        return None
    if start.started_at is None:
        return 0
    return max(microseconds(start.ended_at) - microseconds(start.started_at), 0)


class _Numbers(Tally):
    """Without what only the caller of a refused start is told, which is dear to find."""

    def named(self, rule: Limit | Budget, scope_id: str, call: Call) -> Named:
        return Named()

    def holders(
        self, budget: Budget, scope_id: str, call: Call, since: Timestamp | None, what: str
    ) -> Named:
        return Named()

    def eases(
        self, rule: Limit | Budget, scope_id: str, call: Call, since: Timestamp, what: str, by: int
    ) -> Timestamp | None:
        return None
