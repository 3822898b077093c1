"""A fleet of supervisors and tasks over days of virtual time, and what ought to become of each.

The world does to a sidecar what worlds do: servers go down for hours, the sidecar is restarted and
away for a while, its clock is set and set right again, supervisors die, end their sessions, take
them up again, or fall silent and live on. Beside the plan stands the truth, in true time. At every
sweep the two are compared: what is planned has to be due (a sweep early at most), and what has been
due for a sweep has to be planned.

One thing is spared, since nobody can know it: a clock that was wrong when a task was put on record,
and is right when the next process finds it. So clocks are wrong by night, restarts come in the
evening, and no task lives that long.
"""

import heapq
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count

from tests.support.reaping import World, rule

from subagent_sidecar.core.candidates import Candidate, Key
from subagent_sidecar.core.model import RunStatus, TaskStatus
from subagent_sidecar.core.policy import OnEnd
from subagent_sidecar.core.signs import Glimpse, Signs

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0
QUEUE, RUN, TOTAL, STALL, WAITING = 2 * HOUR, 3 * HOUR, 11 * HOUR, HOUR, 4 * HOUR
LEASE, GRACE = 10 * MINUTE, 5 * MINUTE
BEAT = 4 * MINUTE
RULES = (
    rule("clocks", queue=QUEUE, run=RUN, total=TOTAL, stall=STALL, waiting=WAITING),
    rule(
        "orphans",
        on_session_end=OnEnd.REQUEST_CANCEL,
        on_parent_close=OnEnd.REQUEST_CANCEL,
        lease=LEASE,
        grace=GRACE,
    ),
)
FATES = ("done",) * 12 + ("hangs", "stalls", "queued for ever", "asks", "asks in vain")
KINDS = ("beats", "beats", "heart stuck", "asks after them", "mute")


@dataclass
class Session:
    """A supervisor's, of one of `KINDS`. `sign`: the last time it was heard."""

    kind: str
    tasks: list["Truth"] = field(default_factory=list)
    beaten: float | None = None
    """When it renewed its lease last."""
    sign: float = 0.0
    ended: float | None = None
    dead: bool = False


@dataclass
class Truth:
    """A task as it is. `fates` are what its runs come to, the current one first."""

    task_id: str
    session: Session
    upstream: str
    created: float
    fates: list[str]
    parent: "Truth | None" = None
    children: list["Truth"] = field(default_factory=list)
    record: Candidate | None = None
    """What was on record of it when it ended."""
    live: bool = True
    state: str = "queued"
    since: float = 0.0
    asked: float = 0.0
    runs: int = 1
    step: int = 0
    closed: float | None = None
    """When its parent ended; `cancelled`: because somebody wanted that."""
    cancelled: bool = False
    shown: tuple[int, int] | None = None
    still_from: float = 0.0
    looked: float = 0.0


@dataclass
class Fleet:
    """`play` it; everything is drawn from the seed."""

    tasks: int
    days: float
    sweep_s: float
    seed: int = 1

    def __post_init__(self) -> None:
        self.world = World.by(*RULES, now=0.0)
        self.draw = random.Random(self.seed)
        self.made: list[Truth] = []
        self.reaped: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.missed: list[str] = []
        self.sweeps = self.finished = self.held = 0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = count()
        self._down: dict[str, float] = defaultdict(float)
        self._away_until = 0.0
        self._up_since = 0.0
        self._live: dict[str, Truth] = {}
        self._new_process()
        self._plan()

    # What happens when

    def _at(self, moment: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._events, (moment, next(self._number), what))

    def _in(self, least: float, most: float, what: Callable[[], None]) -> None:
        self._at(self.world.now + self.draw.uniform(least, most), what)

    def _plan(self) -> None:
        planned = 0
        while planned < self.tasks:
            session = Session(self.draw.choice(KINDS))
            name = f"s{planned}"
            begin = self.draw.uniform(0.0, self.days * DAY - 12 * HOUR)
            for _ in range(self.draw.randint(1, 6)):
                planned += 1
                start = partial(self._start, f"t{planned}", name, session)
                self._at(begin + self.draw.uniform(0.0, HOUR), start)
            self._at(begin, partial(self._say, name, session))
            if self.draw.random() < 0.4:
                over = self.draw.choice((self._end, self._die))
                self._at(
                    begin + self.draw.uniform(HOUR / 4, 5 * HOUR), partial(over, name, session)
                )
        for day in range(int(self.days)):
            self._plan_troubles(day * DAY)

    def _plan_troubles(self, midnight: float) -> None:
        jump = self.draw.choice((HOUR, -HOUR, -2 * HOUR, 30 * DAY))
        self._at(midnight + HOUR, partial(self.world.jump, jump))
        self._at(midnight + 3 * HOUR, partial(self.world.jump, -jump))
        self._at(midnight + 20 * HOUR, self._restart)
        for upstream in ("up", "far"):
            begin = midnight + self.draw.uniform(0.0, 23 * HOUR)
            until = begin + self.draw.uniform(MINUTE, 5 * HOUR)
            self._at(begin, partial(self._down.__setitem__, upstream, until))

    def _restart(self) -> None:
        """Away for a while; what supervisors say meanwhile is said to nobody."""
        self._away_until = self.world.now + self.draw.uniform(MINUTE, 30 * MINUTE)
        self._new_process()

    def _new_process(self) -> None:
        self.world.restart()
        self.signs = Signs()
        self.world.still = self.signs.still_for
        self._up_since = -1.0

    def _unseen(self, upstream: str) -> bool:
        """Whether nobody can tell what goes on there, or tell it to anybody."""
        return self.world.now < max(self._away_until, self._down[upstream])

    # Supervisors

    def _say(self, name: str, session: Session) -> None:
        """A heartbeat, or a question after a task; until nothing of its is left."""
        live = [each for each in session.tasks if each.live]
        if session.dead or session.ended is not None or (session.tasks and not live):
            return
        self._in(BEAT / 2, BEAT, partial(self._say, name, session))
        if self.world.now < self._away_until or session.kind == "mute":
            return
        stuck = session.kind == "heart stuck" and session.beaten is not None
        if session.kind == "beats" or (session.kind == "heart stuck" and not stuck):
            self.world.beat(name)
            session.beaten = session.sign = self.world.now
        elif live:
            asked = self.draw.choice(live).task_id
            self.world.change(asked, polls=self.world.tasks[asked].polls + 1)
            session.sign = self.world.now

    def _end(self, name: str, session: Session) -> None:
        if self.world.now < self._away_until:
            self._in(MINUTE, MINUTE, partial(self._end, name, session))
            return
        session.ended = self.world.now
        self.world.end(name)
        self.world.ages.session_ended(("ann", name))
        if self.draw.random() < 0.3:  # and is taken up again
            start = partial(self._start, f"{name}-again", name, session)
            self._in(MINUTE, HOUR, start)

    def _die(self, name: str, session: Session) -> None:
        session.dead = True

    # Tasks

    def _start(
        self, task_id: str, name: str, session: Session, parent: Truth | None = None
    ) -> None:
        upstream = self.draw.choice(("up", "up", "far")) if parent is None else parent.upstream
        if self._unseen(upstream):
            self._in(MINUTE, HOUR / 4, partial(self._start, task_id, name, session, parent))
            return
        over = session.dead or (session.ended is not None and not task_id.endswith("-again"))
        if over or (parent is not None and not parent.live):
            return
        now = self.world.now
        fates = ["done"] * self.draw.choice((0, 0, 0, 1, 2)) + [self.draw.choice(FATES)]
        truth = Truth(task_id, session, upstream, now, fates, parent, since=now, asked=now)
        self.made.append(truth)
        self._live[task_id] = truth
        if parent is None:
            session.tasks.append(truth)
            session.sign = now
            self.world.queue(task_id, session=name, upstream=upstream)
        else:
            parent.children.append(truth)
            self.world.child(task_id, parent.task_id, upstream=upstream, **QUEUED)
        self._queued(truth)
        if self.draw.random() < 0.2 and task_id.count(".") < 2:
            start = partial(self._start, f"{task_id}.1", task_id, Session("mute"), truth)
            self._in(MINUTE, HOUR, start)

    def _queued(self, truth: Truth) -> None:
        if truth.fates[0] != "queued for ever":
            self._in(1.0, HOUR / 3, partial(self._begin, truth, truth.runs))

    def _postponed(self, truth: Truth, run: int, what: Callable[[Truth, int], None]) -> bool:
        """What nobody sees now is seen later; what is over does not happen any more."""
        if not truth.live or truth.runs != run:
            return True
        if self._unseen(truth.upstream):
            self._in(MINUTE, 2 * MINUTE, partial(what, truth, run))
            return True
        return False

    def _begin(self, truth: Truth, run: int) -> None:
        if self._postponed(truth, run, self._begin):
            return
        truth.state, truth.since = "running", self.world.now
        truth.step += 1
        self.world.begins(truth.task_id)
        if truth.fates[0] == "done":
            self._in(MINUTE, 2 * HOUR, partial(self._finish, truth, run))
        elif truth.fates[0].startswith("asks"):
            self._in(MINUTE, HOUR / 2, partial(self._ask, truth, run))
        if truth.fates[0] != "stalls":
            self._in(MINUTE, 40 * MINUTE, partial(self._step, truth, run))

    def _step(self, truth: Truth, run: int) -> None:
        """A checkpoint, long before it would count as stalled."""
        if truth.live and truth.runs == run and truth.state == "running":
            truth.step += 1
            self._in(MINUTE, 40 * MINUTE, partial(self._step, truth, run))

    def _ask(self, truth: Truth, run: int) -> None:
        if self._postponed(truth, run, self._ask):
            return
        truth.state, truth.since = "waiting", self.world.now
        self.world.waits(truth.task_id)
        if truth.fates[0] == "asks":
            self._in(MINUTE, 3.5 * HOUR, partial(self._go_on, truth, run))

    def _finish(self, truth: Truth, run: int) -> None:
        if self._postponed(truth, run, self._finish):
            return
        self.finished += 1
        self._over(truth, TaskStatus.SUCCESS)
        if len(truth.fates) > 1:
            self._in(MINUTE, HOUR, partial(self._go_on, truth, run))

    def _go_on(self, truth: Truth, run: int) -> None:
        """A follow-up, or a human's answer, if whoever would give it is still there."""
        session, now = truth.session, self.world.now
        gone = session.dead or session.ended is not None or truth.parent is not None
        if gone or truth.runs != run or truth.cancelled or now - truth.created > TOTAL - 4 * HOUR:
            return
        if self._unseen(truth.upstream):
            self._in(MINUTE, HOUR / 4, partial(self._go_on, truth, run))
            return
        if truth.record is not None:
            self.world.tasks[truth.task_id], truth.record = truth.record, None
        truth.fates = truth.fates[1:] or ["done"]
        truth.runs += 1
        truth.live, truth.state, truth.since, truth.asked = True, "queued", now, now
        self._live[truth.task_id] = truth
        self.world.follow_up(truth.task_id, f"{truth.task_id}/{truth.runs}")
        self.world.change(truth.task_id, **QUEUED)
        session.sign = now
        for child in truth.children:
            child.closed = None
            if child.live:
                self.world.change(child.task_id, parent_end=None, parent_ended_at=None)
        self._queued(truth)

    def _over(self, truth: Truth, status: TaskStatus) -> None:
        truth.live, truth.state = False, "over"
        truth.record = self.world.tasks[truth.task_id]
        del self._live[truth.task_id]
        self.world.close(truth.task_id, status)
        for child in truth.children:
            if child.live:
                child.closed = self.world.now
                child.cancelled = status is TaskStatus.CANCELLED

    # Sweeps

    def play(self) -> None:
        """From the first start to the end of the last day."""
        for number in range(1, int(self.days * DAY / self.sweep_s) + 1):
            moment = number * self.sweep_s
            while self._events and self._events[0][0] <= moment:
                self.world.now, _, what = heapq.heappop(self._events)
                what()
            self.world.now = moment
            if moment >= self._away_until:
                self._sweep()

    def _sweep(self) -> None:
        self.sweeps += 1
        if self._up_since < 0:
            self._up_since = self.world.now
        for truth in self._live.values():
            if truth.state == "running" and not self._unseen(truth.upstream):
                self._look(truth)
        plan = {reap.task_id: reap for reap in self.world.sweep()}
        for task_id, reap in plan.items():
            truth = self._live[task_id]
            falls = truth.parent is not None and truth.parent.task_id in plan
            slack = self._slacks(truth).get(reap.key, -DAY)
            if slack < -self.sweep_s and not (falls and reap.key is Key.ON_PARENT_CLOSE):
                self.wrong.append(f"{task_id}: {reap.evidence}, {slack:.0f} s")
        for truth in self._live.values():
            slacks = self._slacks(truth)
            if truth.task_id not in plan and max(slacks.values(), default=-DAY) >= self.sweep_s:
                self.missed.append(f"{truth.task_id} ({truth.state}): {slacks}")
        for task_id, reap in plan.items():
            truth = self._live[task_id]
            if self._unseen(truth.upstream):
                self.held += 1
                continue
            self.reaped[reap.key.value] += 1
            truth.cancelled = True
            self._over(truth, TaskStatus.CANCELLED)

    def _look(self, truth: Truth) -> None:
        """What the reader of usage does: it sees the checkpoint."""
        now = self.world.now
        run_id = self.world.tasks[truth.task_id].run_id
        glimpse = Glimpse(f"c{truth.step}", run_id)
        self.signs.looked(truth.task_id, glimpse, first_run=False, now=now)
        truth.looked = now
        if truth.shown != (truth.step, id(self.signs)):
            truth.shown, truth.still_from = (truth.step, id(self.signs)), now

    def _slacks(self, truth: Truth) -> dict[Key, float]:
        """For how long it has been due, by the truth; what is negative is not yet."""
        now, session, up = self.world.now, truth.session, self._up_since
        newcomer = min(now - truth.created, now - up) - GRACE
        found = {Key.TOTAL: now - truth.created - TOTAL}
        if truth.state == "queued":
            found[Key.QUEUE] = now - truth.since - QUEUE
        elif truth.state == "waiting":
            found[Key.WAITING] = now - truth.since - WAITING
        elif truth.state == "running":
            found[Key.RUN] = now - truth.since - RUN
            if truth.shown is not None and truth.shown[1] == id(self.signs):
                found[Key.STALL] = truth.looked - max(truth.still_from, truth.since) - STALL
        if truth.parent is None and session.ended is not None and truth.asked < session.ended:
            found[Key.ON_SESSION_END] = now - session.ended
        lapse = -1.0 if session.beaten is None else session.beaten + LEASE + GRACE
        if truth.parent is None and session.ended is None and truth.asked < lapse:
            silent = now - max(session.sign, up)
            found[Key.LEASE] = min(silent - LEASE - GRACE, newcomer)
        if truth.closed is not None and truth.asked < truth.closed:
            since = now - truth.closed
            found[Key.ON_PARENT_CLOSE] = since if truth.cancelled else min(since, newcomer)
        return found


QUEUED = {"status": TaskStatus.PENDING, "run_status": RunStatus.PENDING, "run_started_at": None}
