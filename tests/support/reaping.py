"""A world for the reaper's plan: live tasks and sessions at moments that a test chooses."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from subagent_sidecar.core.ages import Ages
from subagent_sidecar.core.candidates import Candidate, Key, Reap
from subagent_sidecar.core.matching import ANYTHING
from subagent_sidecar.core.model import EndedBy, RunStatus, TaskStatus, Timestamp, timestamp
from subagent_sidecar.core.policy import Lifecycle, LifecycleRule, Mode, OnEnd, Policy
from subagent_sidecar.core.quick import changed
from subagent_sidecar.core.reap_plan import plan
from subagent_sidecar.core.sessions import Session, SessionKey

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SWEEP_S = 5.0


def rule(
    name: str = "r", /, *, mode: Any = Mode.ENFORCE, match: Any = ANYTHING, **said: Any
) -> LifecycleRule:
    """A lifecycle rule; durations in seconds."""
    settings: dict[str, Any] = {
        key: timedelta(seconds=value) if isinstance(value, int | float) else value
        for key, value in said.items()
    }
    return LifecycleRule(
        name=name, policy="p", mode=mode, match=match, settings=Lifecycle(**settings)
    )


def never_still(task_id: str, run_id: str, since: float) -> float:
    return 0.0


@dataclass
class World:
    """`tick` lets time pass and sweeps on the way; `jump` sets the wall clock."""

    policy: Policy
    still: Callable[[str, str, float], float] = never_still
    now: float = 1_000.0
    ahead: timedelta = timedelta()
    ages: Ages = field(default_factory=Ages)
    tasks: dict[str, Candidate] = field(default_factory=dict)
    sessions: dict[SessionKey, Session] = field(default_factory=dict)

    @classmethod
    def by(cls, *rules: LifecycleRule, **more: Any) -> "World":
        return cls(Policy(lifecycle=rules), **more)

    @property
    def wall(self) -> datetime:
        return BEGIN + timedelta(seconds=self.now) + self.ahead

    def at(self, seconds: float = 0.0) -> Timestamp:
        """The wall time that many seconds from now."""
        return timestamp(self.wall + timedelta(seconds=seconds))

    def jump(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)

    def restart(self) -> None:
        """Another process: nothing is known but what is on record."""
        self.ages = Ages()

    def start(self, task_id: str = "t", *, session: str = "s", **facts: Any) -> None:
        """A task whose run is running, unless `facts` say otherwise."""
        now = self.at()
        usual: Mapping[str, Any] = {
            "upstream": "up",
            "agent_name": "coder",
            "supervisor": "ann",
            "session_id": session,
            "status": TaskStatus.RUNNING,
            "created_at": now,
            "run_id": f"{task_id}/1",
            "run_status": RunStatus.RUNNING,
            "run_created_at": now,
            "run_started_at": now,
        }
        self.tasks[task_id] = Candidate(task_id=task_id, **{**usual, **facts})

    def child(self, task_id: str, parent: str, **facts: Any) -> None:
        depth = self.tasks[parent].depth + 1
        self.start(task_id, session=parent, parent_task_id=parent, depth=depth, **facts)

    def queue(self, task_id: str = "t", **facts: Any) -> None:
        pending = {"status": TaskStatus.PENDING, "run_status": RunStatus.PENDING}
        self.start(task_id, **{**pending, "run_started_at": None, **facts})

    def change(self, task_id: str = "t", **facts: Any) -> None:
        self.tasks[task_id] = changed(self.tasks[task_id], **facts)

    def begins(self, task_id: str = "t") -> None:
        self.change(
            task_id,
            status=TaskStatus.RUNNING,
            run_status=RunStatus.RUNNING,
            run_started_at=self.at(),
        )

    def waits(self, task_id: str = "t") -> None:
        """It asks a human."""
        self.change(
            task_id,
            status=TaskStatus.WAITING,
            run_status=RunStatus.SUCCESS,
            run_ended_at=self.at(),
        )

    def follow_up(self, task_id: str = "t", run_id: str = "t/2") -> None:
        now = self.at()
        self.change(
            task_id,
            status=TaskStatus.RUNNING,
            run_id=run_id,
            run_status=RunStatus.RUNNING,
            run_created_at=now,
            run_started_at=now,
            run_ended_at=None,
        )

    def close(self, parent: str, status: TaskStatus = TaskStatus.SUCCESS) -> None:
        """A task ends; its children learn of it."""
        self.tasks.pop(parent, None)
        for task_id, each in self.tasks.items():
            if each.parent_task_id == parent:
                self.change(task_id, parent_end=status, parent_ended_at=self.at())

    def beat(self, session: str = "s", *, lease_s: int | None = None, here: bool = True) -> None:
        """`here`: and not by way of another process."""
        known = self._session(session)
        if here:
            self.ages.session_beat(known.key, self.now)
        self.sessions[known.key] = replace(
            known,
            first_beat_at=known.first_beat_at or self.at(),
            last_beat_at=max(known.last_beat_at or "", self.at()),
            beats=known.beats + 1,
            lease_s=lease_s,
        )

    def end(self, session: str = "s") -> None:
        known = self._session(session)
        self.sessions[known.key] = replace(
            known, ended_at=self.at(), ended_by=EndedBy.SUPERVISOR, reopened_at=None
        )

    def _session(self, session: str) -> Session:
        return self.sessions.get(("ann", session)) or Session(session_id=session, supervisor="ann")

    def sweep(self) -> list[Reap]:
        self.ages.begin(self.now, self.wall)
        candidates = list(self.tasks.values())
        for each in candidates:
            self.ages.look(each)
        live = {each.session for each in candidates}
        sessions = {key: session for key, session in self.sessions.items() if key in live}
        for session in sessions.values():
            self.ages.hear(session)
        reaps = plan(candidates, sessions, self.policy, self.ages, self.still)
        self.ages.end()
        return reaps

    def tick(self, seconds: float, *, every: float = SWEEP_S) -> list[Reap]:
        """Sweep on the way; what the last sweep came to."""
        left, reaps = seconds, []
        while left > 0:
            step = min(every, left)
            self.now += step
            left -= step
            reaps = self.sweep()
        return reaps

    def keys_after(self, seconds: float) -> list[str]:
        """The keys of what is to be done after a while, of enforced rules."""
        return [reap.key.value for reap in self.tick(seconds) if reap.mode is Mode.ENFORCE]


def reap_of(candidate: Candidate, **said: Any) -> Reap:
    """What the plan may come to about a task: the clock `run` ends it, unless `said` otherwise."""
    judged = {
        name: getattr(candidate, name)
        for name in (
            *("task_id", "upstream", "agent_name", "supervisor", "session_id", "status"),
            *("created_at", "run_id", "run_status", "depth", "parent_task_id"),
        )
    }
    usual: dict[str, Any] = {
        "beats": 0,
        "rule": "clocks",
        "policy": "p",
        "mode": Mode.ENFORCE,
        "key": Key.RUN,
        "action": OnEnd.REQUEST_CANCEL,
        "evidence": "running for 31 min, rule clocks allows 30 min",
        "reason": "clock: it ran for too long",
    }
    return Reap(**{**judged, **usual, **said})
