"""Which of what was counted can be looked at: exemplars, which lead from a metric to a trace.

A trace is told behind the record, so what was counted just now is in no backend yet, and where
nobody takes spans never will be. So a candidate is shown when all was told that was on record by
then, and until then it keeps its place: under load there is always a newer one, and if those took
its place none would ever be shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ..trace_ids import trace_in
from .families import Exemplar, Labels
from .record import Sighting

Place = tuple[Labels, int]


@dataclass(frozen=True, slots=True)
class Told:
    """Of which events it is known that traces tell them: those above `after`, up to `upto`."""

    after: int
    upto: int


@dataclass(slots=True)
class _Slot:
    shown: tuple[Sighting, float] | None = None
    next: tuple[Sighting, float] | None = None


@dataclass(slots=True)
class Marks:
    """Of one metric: one candidate and one that is shown in each place."""

    _slots: dict[Place, _Slot] = field(default_factory=dict)

    def seen(self, place: Place, sighting: Sighting | None, value: float = 1.0) -> None:
        """It was counted in that place."""
        if sighting is None:
            return
        slot = self._slots.get(place)
        if slot is None:
            slot = self._slots[place] = _Slot()
        if slot.next is None:
            slot.next = sighting, value

    def exemplars(self, told: Told | None) -> Mapping[Place, Exemplar]:
        """Those that can be looked at now; none where no traces are told."""
        if told is None:
            return {}
        for slot in self._slots.values():
            _settle(slot, told)
        return {
            place: _exemplar(*slot.shown)
            for place, slot in self._slots.items()
            if slot.shown is not None
        }


def _settle(slot: _Slot, told: Told) -> None:
    if slot.next is None or slot.next[0].seq > told.upto:
        return
    if slot.next[0].seq > told.after:
        slot.shown = slot.next
    slot.next = None


def _exemplar(sighting: Sighting, value: float) -> Exemplar:
    at = datetime.fromisoformat(sighting.at).timestamp()
    return Exemplar(trace_in(sighting.trace_parent, sighting.root_task_id), value, round(at, 3))
