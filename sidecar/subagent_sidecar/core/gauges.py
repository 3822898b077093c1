"""Running counts, one class for each way of counting: fed with facts, asked for numbers.

A fact that changes is handed in as it was and as it is (`move`), so that nothing has to be kept of
what is over; one that has just begun to be, which is what happens most, alone (`begin`). What
slides out of a window is let go when the next question comes: `floor` is from when on they count,
"" without a window. Those with `by_unit` have to know when nothing of a fact has changed but what
it is about (`renamed`).
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
        self.places: dict[object, list[Any]] = {}
        """How many things hold each, and whose it is."""
        self.by_unit = self._runs

        self.of_tasks = not self._runs

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
        held = self.places.pop(unit, None)
        if held is not None:
            self.places[now] = held

    def hold(self, place: object, call: Call) -> None:
        """One more thing holds that place: with `of_tasks`, a task that has become unfinished."""
        held = self.places.get(place)
        if held is None:
            self.places[place] = [1, call]
        else:
            held[0] += 1

    def let_go(self, place: object) -> None:
        held = self.places.get(place)
        if held is not None:
            held[0] -= 1
            if not held[0]:
                del self.places[place]

    def named(self, caller: Call) -> Named:
        """Those that have one, the longest there first."""
        own = [call for _, call in self.places.values() if same_caller(call, caller)]
        tasks = [call.task_id for call in own if call.task_id is not None]
        return Named(tasks, len(self.places) - len(own))


def _stays(old: Fact, new: Fact) -> bool:
    """Whether a place is held as before: by a start that has arrived, most of the time."""
    same = old.call.task_id == new.call.task_id
    return same and new.call.task_id is not None and old.holds == new.holds


class Moments:
    """When things were started, in order; only how many, where no window will ask."""

    __slots__ = ("moments", "number")

    def __init__(self, *, windowed: bool) -> None:
        self.moments: list[Timestamp] | None = [] if windowed else None
        self.number = 0

    def enter(self, at: Timestamp) -> None:
        self.number += 1
        moments = self.moments
        if moments is None:
            return
        if not moments or at >= moments[-1]:
            moments.append(at)
        else:
            insort(moments, at)

    def leave(self, at: Timestamp) -> None:
        self.number -= 1
        if self.moments is not None:
            del self.moments[bisect_left(self.moments, at)]

    def forget(self, since: Timestamp) -> None:
        if self.moments and self.moments[0] < since:
            gone = bisect_left(self.moments, since)
            del self.moments[:gone]
            self.number -= gone

    def at(self, index: int) -> Timestamp | None:
        if self.moments is None or not 0 <= index < len(self.moments):
            return None
        return self.moments[index]


class Started(Moments):
    """How many tasks (under Scope.TASK: runs) were started; with a window, and when."""

    by_unit = False

    def __init__(self, limit: Limit, since: Timestamp | None) -> None:
        super().__init__(windowed=since is not None)
        self.floor = since or ""
        self._runs = limit.per is Scope.TASK

    def begin(self, new: Fact) -> None:
        if new.at >= self.floor and (self._runs or not new.call.update):
            self.enter(new.at)

    def move(self, old: Fact | None, new: Fact | None) -> None:
        if old is not None and new is not None:
            return  # neither when it was started nor what it is ever changes
        if new is not None:
            self.begin(new)
        if old is not None and old.at >= self.floor and (self._runs or not old.call.update):
            self.leave(old.at)

    def count(self, since: Timestamp | None) -> int:
        if since is not None:
            if self.moments and self.moments[0] < since:
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
        self.floor = since or ""
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
        group.newest.append(new)
        if len(group.newest) > _NEWEST:
            del group.newest[0]
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
        if call.fingerprint is None or (call.update and not self._runs) or fact.at < self.floor:
            return None
        return call.agent, call.fingerprint

    def count(self, like: Call, since: Timestamp | None) -> int:
        floor = self.floor if since is None else since
        if self._order and self._order[0][0] < floor:
            self._forget(floor)
        self.floor = floor
        group = self._groups.get((like.agent, like.fingerprint or ""))
        if group is None:
            return 0
        if group.moments and group.moments[0] < floor:
            group.forget(floor)  # what was entered late may stand behind in the order
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
        found = [fact for fact in reversed(group.newest) if fact.at >= self.floor]
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
