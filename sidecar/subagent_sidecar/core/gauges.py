"""Running counts, one class for each way of counting: fed with facts, asked for numbers.

A fact that changes is handed in as it was and as it is (`move`), so that nothing has to be kept of
what is over; one that has just begun to be, which is what happens most, alone (`begin`). What
slides out of a window is let go when the next question comes. Those with `by_unit` have to know
when nothing of a fact has changed but what it is about (`renamed`).
"""

from bisect import bisect_left, insort
from collections import deque
from typing import Any

from .facts import Fact, Unit
from .matching import Call, Scope, same_caller
from .model import Timestamp
from .policy import Budget, Limit
from .verdict import Named


class Live:
    """How many tasks (under Scope.TASK: runs of the task) are unfinished, and whose they are. A
    task has a place as long as anything holds it: its status, a start, a run at large."""

    def __init__(self, rule: Limit | Budget) -> None:
        self._runs = rule.per is Scope.TASK
        self._places: dict[object, list[Any]] = {}
        self.by_unit = self._runs

        self.of_tasks = not self._runs

    @property
    def number(self) -> int:
        return len(self._places)

    def begin(self, new: Fact) -> None:
        if self._runs:
            if new.live:
                self.hold(new.unit, new.call)
        elif new.holds:
            self.hold(new.call.task_id or new.unit, new.call)

    def move(self, old: Fact | None, new: Fact | None) -> None:
        if old is not None and new is not None and not self._runs and _stays(old, new):
            return
        if new is not None:
            self.begin(new)
        if old is not None and (old.live if self._runs else old.holds):
            self.let_go(old.unit if self._runs else old.place)

    def renamed(self, unit: Unit, now: Unit) -> None:
        held = self._places.pop(unit, None)
        if held is not None:
            self._places[now] = held

    def hold(self, place: object, call: Call) -> None:
        """One more thing holds that place: with `of_tasks`, a task that has become unfinished."""
        held = self._places.get(place)
        if held is None:
            self._places[place] = [1, call]
        else:
            held[0] += 1

    def let_go(self, place: object) -> None:
        held = self._places.get(place)
        if held is not None:
            held[0] -= 1
            if not held[0]:
                del self._places[place]

    def named(self, caller: Call) -> Named:
        """Those that have one, the longest there first."""
        own = [call for _, call in self._places.values() if same_caller(call, caller)]
        tasks = [call.task_id for call in own if call.task_id is not None]
        return Named(tasks, len(self._places) - len(own))


def _stays(old: Fact, new: Fact) -> bool:
    """Whether a place is held as before: by a start that has arrived, most of the time."""
    same = old.call.task_id == new.call.task_id
    return same and new.call.task_id is not None and old.holds == new.holds


class Moments:
    """When things were started, in order; only how many, where no window will ask."""

    __slots__ = ("_moments", "number")

    def __init__(self, *, windowed: bool) -> None:
        self._moments: list[Timestamp] | None = [] if windowed else None
        self.number = 0

    def enter(self, at: Timestamp) -> None:
        self.number += 1
        moments = self._moments
        if moments is None:
            return
        if not moments or at >= moments[-1]:
            moments.append(at)
        else:
            insort(moments, at)

    def leave(self, at: Timestamp) -> None:
        self.number -= 1
        if self._moments is not None:
            del self._moments[bisect_left(self._moments, at)]

    def forget(self, since: Timestamp) -> None:
        if self._moments and self._moments[0] < since:
            gone = bisect_left(self._moments, since)
            del self._moments[:gone]
            self.number -= gone

    def at(self, index: int) -> Timestamp | None:
        if self._moments is None or not 0 <= index < len(self._moments):
            return None
        return self._moments[index]


class Started(Moments):
    """How many tasks (under Scope.TASK: runs) were started; with a window, and when."""

    by_unit = False

    def __init__(self, limit: Limit, since: Timestamp | None) -> None:
        super().__init__(windowed=since is not None)
        self.floor = since
        self._runs = limit.per is Scope.TASK

    def begin(self, new: Fact) -> None:
        if self._runs or not new.call.update:
            at, floor = new.at, self.floor
            if floor is None or at >= floor:
                self.enter(at)

    def move(self, old: Fact | None, new: Fact | None) -> None:
        if old is not None and new is not None:
            return  # neither when it was started nor what it is ever changes
        if new is not None:
            self.begin(new)
        if old is not None and self._counts(old):
            self.leave(old.at)

    def _counts(self, fact: Fact) -> bool:
        if fact.call.update and not self._runs:
            return False
        return self.floor is None or fact.at >= self.floor

    def count(self, since: Timestamp | None) -> int:
        if since is not None:
            if self._moments and self._moments[0] < since:
                self.forget(since)
            self.floor = since
        return self.number

    def eases(self, by: int) -> Timestamp | None:
        """When the `by`th of them was started."""
        return self.at(by - 1)


class Alike:
    """As Started, apart for each agent and instruction. Starts whose instruction was not read are
    like no other."""

    by_unit = False

    def __init__(self, limit: Limit, since: Timestamp | None) -> None:
        self.floor = since
        self._windowed = since is not None
        self._runs = limit.per is Scope.TASK
        self._groups: dict[_Likeness, _Group] = {}
        self._order: deque[tuple[Timestamp, _Likeness]] = deque()

    def begin(self, new: Fact) -> None:
        key = self._key(new)
        if key is None:
            return
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group(windowed=self._windowed)
        group.enter(new.at)
        group.remember(new)
        if self._windowed:
            self._order.append((new.at, key))

    def move(self, old: Fact | None, new: Fact | None) -> None:
        if old is not None and new is not None:
            return  # neither when it was started nor what it is ever changes
        if new is not None:
            self.begin(new)
        if old is not None and (key := self._key(old)) is not None:
            group = self._groups.get(key)
            if group is not None:
                group.leave(old.at)
                if old in group.newest:
                    group.newest.remove(old)

    def _key(self, fact: Fact) -> "_Likeness | None":
        call = fact.call
        if call.fingerprint is None or (call.update and not self._runs):
            return None
        if self.floor is not None and fact.at < self.floor:
            return None
        return call.agent, call.fingerprint

    def count(self, like: Call, since: Timestamp | None) -> int:
        if since is not None:
            if self._order and self._order[0][0] < since:
                self._forget(since)
            self.floor = since
        group = self._groups.get((like.agent, like.fingerprint or ""))
        if group is None:
            return 0
        if since is not None:
            group.forget(since)
        return group.number

    def _group(self, like: Call) -> "_Group | None":
        return self._groups.get((like.agent, like.fingerprint or ""))

    def _forget(self, since: Timestamp) -> None:
        """Let go of what was started before. What is in the order may have moved meanwhile; a
        group is looked at as often as something was put into it."""
        while self._order and self._order[0][0] < since:
            _, key = self._order.popleft()
            group = self._groups.get(key)
            if group is not None:
                group.forget(since)
                if not group.number:
                    del self._groups[key]

    def eases(self, like: Call, by: int) -> Timestamp | None:
        """When the `by`th of them was started."""
        group = self._group(like)
        return None if group is None else group.at(by - 1)

    def named(self, like: Call) -> Named:
        """Some of them, the newest first."""
        group = self._group(like)
        if group is None:
            return Named()
        found = [f for f in reversed(group.newest) if self.floor is None or f.at >= self.floor]
        own = [fact.call for fact in found if same_caller(fact.call, like)]
        every = len(found) == group.number
        tasks = [call.task_id for call in own if call.task_id is not None]
        return Named(tasks, len(found) - len(own) if every else None)


_Likeness = tuple[str, str]
"""Agent and fingerprint."""
_NEWEST = 16


class _Group(Moments):
    """Starts that are alike; `newest` are the last few of them."""

    __slots__ = ("newest",)

    def __init__(self, *, windowed: bool) -> None:
        super().__init__(windowed=windowed)
        self.newest: list[Fact] = []

    def remember(self, fact: Fact) -> None:
        self.newest.append(fact)
        if len(self.newest) > _NEWEST:
            del self.newest[0]
