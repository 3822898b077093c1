"""Who sends spans, and what is known of the traces that each of them sends.

Those who see every task share one desk. Everybody else has one of their own, so that what one of
them says of a trace moves nobody else's spans, and nothing it sends comes into another's task.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ...core.model import TaskRecord
from ...core.principal import Principal
from ...core.rehoming.homes import Mode
from ...core.rehoming.traces import Limits, Traces

_MOST = 50
_REMEMBERED = 1_000
_SHARE_OF_ONE = 4
"""Of what may be held at the shared desk, for one of the others."""


@dataclass(slots=True)
class Desk:
    """`view` is the supervisor whose tasks are seen from here, None where all are. `sorter` is a
    Sorter, once that is loaded."""

    view: str | None
    traces: Traces
    sorter: Any = None

    def sees(self, record: TaskRecord) -> bool:
        return self.view is None or record.task.supervisor == self.view


@dataclass
class Desks:
    """The shared one, and those of the supervisors that sent something lately."""

    mode: Mode
    limits: Limits
    leaving: list[Desk] = field(default_factory=list)
    """Of which nobody has heard for longest: what is held there is to be let go."""

    def __post_init__(self) -> None:
        self._shared = Desk(None, Traces(self.mode, self.limits))
        self._own: OrderedDict[str, Desk] = OrderedDict()

    def of(self, principal: Principal, make: Callable[[Traces], Any]) -> Desk:
        """Theirs, with a sorter."""
        desk = self._shared if principal.every_task else self._of(principal.supervisor)
        if desk.sorter is None:
            desk.sorter = make(desk.traces)
        return desk

    def _of(self, supervisor: str) -> Desk:
        desk = self._own.get(supervisor)
        if desk is None:
            limits = Limits(self.limits.hold_s, self.limits.most // _SHARE_OF_ONE)
            desk = Desk(supervisor, Traces(self.mode, limits, remembered=_REMEMBERED))
            self._own[supervisor] = desk
        self._own.move_to_end(supervisor)
        if len(self._own) > _MOST:
            self.leaving.append(self._own.popitem(last=False)[1])
        return desk

    def in_use(self) -> Iterator[Desk]:
        """Those at which somebody has been."""
        for desk in [self._shared, *self._own.values()]:
            if desk.sorter is not None:
                yield desk

    @property
    def held_spans(self) -> int:
        return sum(desk.traces.held_spans for desk in self.in_use())

    @property
    def held_bytes(self) -> int:
        return sum(desk.traces.held_bytes for desk in self.in_use())

    @property
    def waiting(self) -> bool:
        """Whether there are traces of which it is not known what becomes of them."""
        return any(desk.traces.waiting for desk in self.in_use())
