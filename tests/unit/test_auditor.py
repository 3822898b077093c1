"""Looking for what went around: pages, bounds, servers in trouble."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from tests.support.agent_server import ScriptedServer, server_run

from subagent_sidecar.auditor import Auditor
from subagent_sidecar.core.ghosts import Audit, Not, SeenThread
from subagent_sidecar.core.model import TaskStatus, timestamp
from subagent_sidecar.errors import UpstreamRefused, UpstreamUnreachable
from subagent_sidecar.ports import AgentServer
from subagent_sidecar.service import Service
from subagent_sidecar.store.memory import MemoryStore
from subagent_sidecar.testing import FakeClock

RUN = server_run(
    "r1", status="success", created_at="2026-01-01T00:00:00Z", updated_at="2026-01-01T00:01:00Z"
)


@dataclass
class Desk:
    """An auditor on books in memory, with a server called `up` that has a run on each thread."""

    store: MemoryStore = field(default_factory=MemoryStore)
    clock: FakeClock = field(default_factory=FakeClock)
    server: ScriptedServer = field(default_factory=lambda: ScriptedServer(listed=[RUN]))
    spare: bool = True
    within_s: float = 60.0

    def __post_init__(self) -> None:
        self.service = Service(store=self.store, clock=self.clock)
        self.servers: dict[str, AgentServer] = {"up": self.server}

    @property
    def auditor(self) -> Auditor:
        return Auditor(
            service=self.service,
            store=self.store,
            clock=self.clock,
            servers=self.servers,
            agents={"up": {"listed"}},
            keep=timedelta(days=30),
            supervisor="anonymous",
            spare=lambda _: self.spare,
            within_s=self.within_s,
        )

    def has(self, *threads: SeenThread) -> None:
        self.server.threads_listed = threads

    def thread(self, thread_id: str, **said: str) -> SeenThread:
        """An hour old."""
        at = timestamp(self.clock.now() - timedelta(hours=1))
        metadata = said or {"subagent_name": "coder", "graph_id": "g"}
        return SeenThread(
            thread_id=thread_id, status="idle", created_at=at, updated_at=at, metadata=metadata
        )

    async def audit(self, most: int = 200) -> Audit:
        [found] = await self.auditor.audit(["up"], most=most)
        return found


@pytest.fixture
def desk() -> Desk:
    return Desk()


def ids(audit: Audit) -> list[str]:
    return [found.ghost.thread.thread_id for found in audit.ghosts]


async def test_every_page_is_read_and_each_thread_is_judged_once(desk: Desk) -> None:
    desk.has(*(desk.thread(f"t{number}") for number in range(250)))
    audit = await desk.audit(most=1_000)
    assert (audit.threads, len(ids(audit)), audit.problem, audit.more) == (250, 250, None, False)
    pages = [question for question in desk.server.asked if question.startswith("threads from")]
    assert pages == [f"threads from {offset}" for offset in (0, 100, 200, 250)]


async def test_no_more_are_told_and_asked_after_than_was_wanted(desk: Desk) -> None:
    desk.has(*(desk.thread(f"t{number}") for number in range(9)))
    audit = await desk.audit(most=3)
    assert (len(ids(audit)), audit.more, audit.threads) == (3, True, 9)
    assert sum(question.startswith("runs of") for question in desk.server.asked) == 3


async def test_a_server_that_knows_one_page_only_is_not_asked_for_ever(desk: Desk) -> None:
    page = [desk.thread("t1"), desk.thread("t2")]

    class Repeating(ScriptedServer):
        async def listed_threads(self, **_: object) -> Sequence[SeenThread]:
            self.asked.append("page")
            return page

    server = desk.servers["up"] = Repeating(listed=[RUN])
    assert ids(await desk.audit()) == ["t1", "t2"]
    assert server.asked.count("page") == 2


async def test_what_is_on_record_or_on_its_way_there_is_no_ghost(desk: Desk) -> None:
    desk.has(desk.thread("task"), desk.thread("sent"), desk.thread("ghost"))
    first = await desk.service.admit(upstream="up", supervisor="ann", thread_id="task")
    desk.service.accepted(first, [server_run("r", "task")])  # not entered yet
    await desk.service.admit(upstream="up", supervisor="ann", thread_id="sent")
    audit = await desk.audit()
    assert (ids(audit), audit.others[Not.KNOWN]) == (["ghost"], 2)


async def test_the_same_id_on_another_server_is_another_thread(desk: Desk) -> None:
    intent = await desk.service.admit(upstream="other", supervisor="ann", thread_id="t")
    desk.service.accepted(intent, [server_run("r")])
    desk.has(desk.thread("t"))
    assert ids(await desk.audit()) == ["t"]


async def test_a_thread_on_which_nothing_was_started_is_empty(desk: Desk) -> None:
    desk.server.listed = []
    desk.has(desk.thread("t"))
    audit = await desk.audit()
    assert (ids(audit), audit.others) == ([], {Not.EMPTY: 1})


async def test_a_server_that_does_not_list_runs_has_ghosts_that_cannot_be_adopted(
    desk: Desk,
) -> None:
    desk.server.listed = None
    desk.has(desk.thread("t"))
    [found] = (await desk.audit()).ghosts
    assert found.run_id is None
    [adoption] = await desk.auditor.adopt([("up", found.ghost)])
    assert adoption.problem == "the server does not list its runs"
    assert await desk.store.task("t") is None


async def test_a_server_without_a_search_is_told_so(desk: Desk) -> None:
    desk.server.threads_listed = None
    audit = await desk.audit()
    assert audit.threads == 0
    assert audit.problem is not None and "no list of its threads" in audit.problem


async def test_a_server_in_trouble_is_told_and_hides_no_other(desk: Desk) -> None:
    down, locked = ScriptedServer(), ScriptedServer()
    down.down = UpstreamUnreachable("nobody listens there")
    locked.down = UpstreamRefused("the server answered 401", answered=401)
    desk.servers |= {"down": down, "locked": locked}
    desk.has(desk.thread("t"))
    up, unreachable, refused = await desk.auditor.audit(["up", "down", "locked"], most=9)
    assert (ids(up), up.problem) == (["t"], None)
    assert unreachable.problem == "nobody listens there"
    assert refused.problem is not None and "credentials of the sidecar's own" in refused.problem


async def test_an_audit_that_takes_too_long_says_what_it_has_found(desk: Desk) -> None:
    desk.within_s, desk.spare = 0.05, False
    audit = await desk.audit()
    assert audit.problem == "it took longer than 0.05 s"
    assert desk.server.asked == []  # there was nothing to spare


async def test_adopted_they_are_tasks_and_told_to_those_who_follow(desk: Desk) -> None:
    moved: list[tuple[str, str, str]] = []

    class Taking:
        def run_moved(self, upstream: str, thread_id: str, run_id: str, status: str) -> None:
            moved.append((thread_id, run_id, status))

        def thread_moved(self, *_: object) -> None: ...
        def thread_gone(self, *_: object) -> None: ...

    desk.service.observe(Taking())
    desk.server.listed = [
        server_run("r2", status="running", created_at="2026-01-01T00:02:00Z"),
        server_run("odd", status="dreaming", created_at="2026-01-01T00:02:00Z"),
        server_run("undated", status="running"),
        RUN,
    ]
    words = [{"role": "user", "content": "look\n it up " + "x" * 300}]
    desk.server.given = {"messages": words}
    desk.has(desk.thread("t", parent_thread_id="chat", graph_id="g"))
    [found] = (await desk.audit()).ghosts
    assert (found.run_id, found.run_status) == ("r2", "running")
    [adoption] = await desk.auditor.adopt([("up", found.ghost)])
    assert adoption.problem is None
    record = await desk.store.task("t")
    assert record is not None
    assert [run.run_id for run in record.runs] == ["r1", "r2"]
    assert (record.task.session_id, record.task.agent_name) == ("chat", "g")
    assert record.task.status is TaskStatus.RUNNING
    assert record.task.purpose == "look it up " + "x" * 189
    assert [run.fingerprint is None for run in record.runs] == [False, True]
    assert moved == [("t", "r1", "success"), ("t", "r2", "running")]
    assert await desk.service.home("t") == "up"
    assert ids(await desk.audit()) == []


@pytest.mark.parametrize("given", [None, "text", {"messages": 7}, {"messages": [None]}])
async def test_one_whose_instruction_cannot_be_read_has_no_purpose(desk: Desk, given: Any) -> None:
    desk.server.given = given
    desk.has(desk.thread("t"))
    [found] = (await desk.audit()).ghosts
    await desk.auditor.adopt([("up", found.ghost)])
    record = await desk.store.task("t")
    assert record is not None and record.task.purpose is None


async def test_purposes_are_kept_only_where_they_are_wanted(desk: Desk) -> None:
    desk.service = Service(store=desk.store, clock=desk.clock, keep_purpose=False)
    desk.server.given = {"messages": [{"role": "user", "content": "a secret"}]}
    desk.has(desk.thread("t"))
    [found] = (await desk.audit()).ghosts
    await desk.auditor.adopt([("up", found.ghost)])
    record = await desk.store.task("t")
    assert record is not None and record.task.purpose is None
    assert record.runs[0].fingerprint is not None


async def test_runs_that_nobody_can_read_are_not_adopted(desk: Desk) -> None:
    desk.server.listed = [server_run("r1", status="dreaming")]
    desk.has(desk.thread("t"))
    [found] = (await desk.audit()).ghosts
    [adoption] = await desk.auditor.adopt([("up", found.ghost)])
    assert adoption.problem == "its runs cannot be read"


async def test_parents_are_adopted_before_their_children(desk: Desk) -> None:
    child = desk.thread("child", parent_thread_id="parent", graph_id="g")
    parent = replace(desk.thread("parent"), created_at="2020-01-01T00:00:00.000000Z")
    parent = replace(parent, updated_at=child.updated_at)
    desk.has(child, parent)
    found = (await desk.audit()).ghosts
    await desk.auditor.adopt([("up", each.ghost) for each in found])
    record = await desk.store.task("child")
    assert record is not None and record.task.parent_task_id == "parent"
