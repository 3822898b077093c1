"""Counters of what is on record, since this process began: what happened, and what was used.

They are fed from the record, behind what happens, and start at 0 with each process, as counters
do. So nothing is counted that is not on record, nothing twice, and whoever wrote it.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from ..candidates import Key
from ..model import EndedBy, TaskStatus
from ..policy import Policy, Rule
from ..verdict import OPERATOR
from . import instruments as i
from .families import Exemplar, Family, Labels, filled
from .labels import UNKNOWN, Names, Whose
from .marks import Marks, Place, Told
from .meters import LONG, Histogram
from .record import Happened, RunTime, Stretch, Used

FINISHES: tuple[tuple[TaskStatus, EndedBy], ...] = (
    (TaskStatus.SUCCESS, EndedBy.UPSTREAM),
    (TaskStatus.ERROR, EndedBy.UPSTREAM),
    (TaskStatus.TIMEOUT, EndedBy.UPSTREAM),
    *((TaskStatus.CANCELLED, by) for by in EndedBy),
)
"""How tasks end: a cancel that was asked for explains a cancelled task, and nothing else."""

REASONS = tuple(key.value for key in Key)
"""The keys of a policy that the reaper ends tasks by."""

OUTCOMES = {
    "cancel_confirmed": "confirmed",
    "cancel_too_late": "too_late",
    "cancel_unconfirmed": "unconfirmed",
}
TOLD = {"budget_near": "near", "budget_exhausted": "exhausted", "would_cancel": "would_cancel"}
_FREEZE = (OPERATOR, "freeze")
_QUEUED, _RAN = "queued", "ran"
_MARKED = frozenset({"started", "updated", "ended", "reaped", "would_reap"})
"""Kinds of events that are all of a task, and so in its trace."""


class Lived:
    """What was counted so far. `whose` knows how to call agents and upstreams."""

    def __init__(self, whose: Whose) -> None:
        self._whose = whose
        self._counts: dict[str, Counter[Labels]] = {}
        self._queue: dict[Labels, Histogram] = {}
        self._duration: dict[Labels, Histogram] = {}
        self._marks: dict[str, Marks] = {}

    def add(self, stretch: Stretch) -> None:
        """Count a part of the record."""
        for one in stretch.happened:
            self._count(one)
        for time in stretch.times:
            self._time(time)

    def _count(self, one: Happened) -> None:
        labels = self._labels(one)
        self._counts.setdefault(one.kind, Counter())[labels] += one.times
        if one.kind in _MARKED:
            self._marks_of(one.kind).seen((labels, 0), one.last)

    def _labels(self, one: Happened) -> Labels:
        word = one.word or ""
        match one.kind:
            case "ended":
                return (*self._pair(one), one.status or "", word)
            case "started" | "updated":
                return self._pair(one)
            case "start_failed":
                return (self._whose.agent(one.agent_name),)
            case "cancel_asked" | "reaped" | "would_reap":
                return self._whose.upstream(one.upstream), word
            case "in_doubt" | "cancel_confirmed" | "cancel_too_late" | "cancel_unconfirmed":
                return (self._whose.upstream(one.upstream),)
            case _:
                return one.policy or "", one.rule or ""

    def _pair(self, one: Happened) -> Labels:
        return self._whose.pair(one.upstream, one.agent_name)

    def _time(self, time: RunTime) -> None:
        pair = self._whose.pair(time.upstream, time.agent_name)
        for kind, found, seconds in (
            (_QUEUED, self._queue, time.queued_s),
            (_RAN, self._duration, time.ran_s),
        ):
            if seconds is not None:
                found.setdefault(pair, Histogram(LONG)).observe(seconds)
                self._marks_of(kind).seen((pair, bisect_left(LONG, seconds)), time.seen, seconds)

    def _marks_of(self, kind: str) -> Marks:
        return self._marks.setdefault(kind, Marks())

    def families(self, policy: Policy, told: Told | None = None) -> Iterator[Family]:
        """Of every label set that can be known, also what has not happened yet. `told` is what
        traces tell, None where there are none."""

        def marks(kind: str) -> Mapping[Place, Exemplar]:
            return self._marks_of(kind).exemplars(told)

        whose, pairs = self._whose, list(self._whose.pairs)
        upstreams = [(name,) for name in whose.upstreams]
        agents = [(name,) for name in whose.agents]
        finishes = [(*pair, status.value, by.value) for pair in pairs for status, by in FINISHES]
        reaps = [(*upstream, reason) for upstream in upstreams for reason in REASONS]
        asked = [(*upstream, by.value) for upstream in upstreams for by in EndedBy]
        yield filled(i.TASKS_STARTED, pairs, self._of("started"), marks("started"))
        yield filled(i.TASKS_UPDATED, pairs, self._of("updated"), marks("updated"))
        yield filled(i.TASKS_FINISHED, finishes, self._of("ended"), marks("ended"))
        yield filled(i.TASKS_REAPED, reaps, self._of("reaped"), marks("reaped"))
        yield filled(i.TASKS_WOULD_REAP, reaps, self._of("would_reap"), marks("would_reap"))
        yield _histograms(i.RUN_QUEUE, pairs, self._queue, marks(_QUEUED))
        yield _histograms(i.RUN_DURATION, pairs, self._duration, marks(_RAN))
        yield filled(i.CANCELS_ASKED, asked, self._of("cancel_asked"))
        yield self._by_word(i.CANCELS_SETTLED, OUTCOMES, upstreams)
        limits, budgets = _names(policy.limits), _names(policy.budgets)
        refusing = [_FREEZE, *limits, *budgets]
        yield filled(i.STARTS_REFUSED, refusing, self._of("refused"))
        yield filled(i.STARTS_WOULD_REFUSE, [*limits, *budgets], self._of("would_refuse"))
        yield filled(i.STARTS_FAILED, agents, self._of("start_failed"))
        yield filled(i.STARTS_DOUBTED, upstreams, self._of("in_doubt"))
        yield self._by_word(i.BUDGET_TOLD, TOLD, budgets)

    def _of(self, kind: str) -> Mapping[Labels, float]:
        return self._counts.get(kind, {})

    def _by_word(
        self, instrument: i.Instrument, words: Mapping[str, str], known: Iterable[Labels]
    ) -> Family:
        """Several kinds of events in one metric, told apart by its last label."""
        listed = list(known)
        values = {
            (*labels, word): float(times)
            for kind, word in words.items()
            for labels, times in self._of(kind).items()
        }
        return filled(instrument, [(*k, word) for k in listed for word in words.values()], values)


def _names(rules: Iterable[Rule]) -> list[Labels]:
    return [(rule.policy, rule.name) for rule in rules]


def _histograms(
    instrument: i.Instrument,
    known: Iterable[Labels],
    found: Mapping[Labels, Histogram],
    exemplars: Mapping[Place, Exemplar],
) -> Family:
    all_told = {pair: Histogram(LONG) for pair in known}
    all_told |= {pair: histogram.copy() for pair, histogram in found.items()}
    return Family(instrument, histograms=all_told, exemplars=exemplars)


class Spent:
    """What was used since this process began.

    The record holds what was used since the store was made, so what it said first is taken off.
    A counter never falls: where a message is priced anew, and lower, it stands still instead.
    """

    def __init__(self, whose: Whose, first: Iterable[Used]) -> None:
        self._whose = whose
        self._models = Names()
        self._first = {one.key: one for one in first}
        self._told: dict[i.Instrument, dict[Labels, float]] = {}

    def families(self, now: Iterable[Used]) -> Iterator[Family]:
        """By what the record says `now`; nothing is known of it while it cannot be read."""
        sums: dict[i.Instrument, Counter[Labels]] = {each: Counter() for each in _SPENT}
        for one in now:
            first = self._first.get(one.key)
            self._add(sums, one if first is None else one.plus(first, -1))
        known = [(*pair, UNKNOWN) for pair in self._whose.pairs]
        for instrument, types in _SPENT.items():
            told = self._told.setdefault(instrument, {})
            for labels, value in sums[instrument].items():
                told[labels] = max(value, told.get(labels, 0.0))
            scale = _SCALE.get(instrument, 1)
            values = {labels: value / scale for labels, value in told.items()}
            yield filled(instrument, [(*k, *t) for k in known for t in types], values)

    def _add(self, sums: Mapping[i.Instrument, Counter[Labels]], more: Used) -> None:
        pair = self._whose.pair(more.upstream, more.agent_name)
        model = *pair, self._models.label(more.model)
        sums[i.TOKENS][*model, "input"] += more.input_tokens
        sums[i.TOKENS][*model, "output"] += more.output_tokens
        sums[i.CACHED_TOKENS][*model, "read"] += more.cache_read_tokens
        sums[i.CACHED_TOKENS][*model, "write"] += more.cache_write_tokens
        sums[i.COST][model] += more.cost_micro_usd
        sums[i.UNPRICED][model] += more.unpriced


_SCALE = {i.COST: 1_000_000}
_SPENT: Mapping[i.Instrument, tuple[Labels, ...]] = {
    i.TOKENS: (("input",), ("output",)),
    i.CACHED_TOKENS: (("read",), ("write",)),
    i.COST: ((),),
    i.UNPRICED: ((),),
}
