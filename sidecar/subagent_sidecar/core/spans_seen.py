"""The newest spans of others that belong to each task: what a waterfall shows beside our own.

Kept in memory, and bounded: it is for a look at what goes on, and a backend is for the rest.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from .model import Timestamp, timestamp
from .quick import quick

OF_ONE_TASK = 500
OF_ALL_TASKS = 20_000
_LONGEST = 120
"""Characters of a name that are kept."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_US = (datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


@quick
@dataclass(frozen=True, slots=True)
class SeenSpan:
    """A span as it left here: the ids are those that it has in its task's trace, hexadecimal.

    `parent_id` is None of a root. `service` is its resource's `service.name`, `run_id` the run it
    is under, where one is known. `error` is None of a span that did not fail, else what it said of
    that, which may be nothing.
    """

    span_id: str
    parent_id: str | None
    trace_id: str
    run_id: str | None
    name: str
    service: str
    start_ns: int
    end_ns: int
    error: str | None = None

    @property
    def start(self) -> Timestamp:
        return _moment(self.start_ns)

    @property
    def end(self) -> Timestamp:
        return _moment(self.end_ns)


def short(text: str) -> str:
    """As much of a name, or of an error, as is kept."""
    return text[:_LONGEST]


class SpansSeen:
    """By task, in the order in which they came. What is over the limits is forgotten: of one task
    the oldest spans, of all tasks those of the task that had none for longest."""

    def __init__(self, *, of_one: int = OF_ONE_TASK, of_all: int = OF_ALL_TASKS) -> None:
        self._of_one = of_one
        self._of_all = of_all
        self._count = 0
        self._by_task: OrderedDict[str, list[SeenSpan]] = OrderedDict()

    def __len__(self) -> int:
        return self._count

    def add(self, task_id: str, spans: Iterable[SeenSpan]) -> None:
        """These were seen, and belong to the task."""
        kept = self._by_task.setdefault(task_id, [])
        before = len(kept)
        kept.extend(spans)
        if len(kept) > self._of_one:
            del kept[: len(kept) - self._of_one]
        self._count += len(kept) - before
        self._by_task.move_to_end(task_id)
        while self._count > self._of_all and len(self._by_task) > 1:
            _, forgotten = self._by_task.popitem(last=False)
            self._count -= len(forgotten)

    def of(self, task_id: str, *, limit: int = OF_ONE_TASK) -> Sequence[SeenSpan]:
        """The newest `limit` spans of a task, in the order in which they came: a span comes when
        it has ended, so children before their parents."""
        return tuple(self._by_task.get(task_id, ())[-limit:])


def _moment(nanoseconds: int) -> Timestamp:
    """Of a number that others chose."""
    return timestamp(_EPOCH + timedelta(microseconds=min(nanoseconds // 1_000, _LAST_US)))
