"""Whatever is started, answered, ended and killed, in whatever order, by one process or two on a
file: no limit is ever exceeded, nothing is refused without need, and no place outlives its task."""

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.integration.store.play import Play
from tests.support.refusals import policy
from tests.support.stores import END_OF_TIME, open_sqlite

from subagent_sidecar.core.policy import LimitKind
from subagent_sidecar.store.sqlite import SqliteStore

RULES = policy(
    """
limits:
  - {name: a, concurrent: 3, per: session}
  - {name: b, concurrent: 6, per: global}
  - {name: c, concurrent: 2, per: agent, match: {agent: researcher}}
  - {name: d, concurrent: 2, per: tree}
  - {name: e, concurrent: 2, per: task}
  - {name: f, starts: 3, per: session, window: 6s}
  - {name: g, starts: 9, per: supervisor}
budgets:
  - {name: h, tokens: 70, per: session, reserve: {tokens: 20}, window: 15s}
  - {name: i, runs: 8, per: global, window: 12s}
""".strip()
)

KINDS = (*["start"] * 4, *["follow"] * 2, *["answer"] * 8, *["end"] * 6, *["wait"] * 2, "crash")
NUMBER = st.integers(0, 11)
Step = tuple[str, int, int, int]
STEPS = st.lists(
    st.tuples(st.sampled_from(KINDS), NUMBER, NUMBER, NUMBER), min_size=30, max_size=60
)

MEMORY = Path("/dev/shm")
FOLDER = MEMORY if MEMORY.is_dir() else None
"""It is processes that crash here, not machines: no disk has to be waited for."""


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store, to be copied: making one takes longer than a whole story."""
    folder = tmp_path_factory.mktemp("empty")

    async def make() -> None:
        async with open_sqlite(folder):
            pass

    asyncio.run(make())
    return folder / "books.db"


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, processes=st.integers(1, 2))
def test_no_limit_is_exceeded_and_no_place_outlives_its_task(
    empty: Path, steps: Sequence[Step], processes: int
) -> None:
    with TemporaryDirectory(dir=FOLDER) as folder:
        shutil.copy(empty, Path(folder) / "0.db")
        asyncio.run(_played(Play(Path(folder), RULES, processes), steps))


async def _played(play: Play, steps: Sequence[Step]) -> None:
    await play.open()
    try:
        for step in steps:
            await _do(play, *step)
            exceeded = [room for room in play.world.rooms(play.now) if room[2] < 0]
            assert not exceeded, step
        await play.end_everything()
        for store in play.stores:
            await _nothing_is_held(play, store)
    finally:
        await play.close()


async def _do(play: Play, kind: str, one: int, two: int, three: int) -> None:
    play.second += 0.01
    world = play.world
    match kind:
        case "start":
            await play.start(play.new_tasks(1 + one % 4, two), three)
        case "follow" if world.tasks:
            await play.start(play.follow_ups(1 + one % 2, two), three)
        case "answer" if world.in_flight:
            await play.answer(world.in_flight[one % len(world.in_flight)], two)
        case "end" if world.at_work:
            await play.end(world.at_work[one % len(world.at_work)], two, three)
        case "end" if world.waiting:
            await play.stop_waiting(min(world.waiting), three)
        case "wait":
            play.second += one
        case "crash":
            await play.crash(one % 3, two)
        case _:
            pass


async def _nothing_is_held(play: Play, store: SqliteStore) -> None:
    """Every count is back where it was, but for what was started and used in fact."""
    assert await store.open_intents(before=END_OF_TIME) == []
    for call in {replace(start.call, update=False) for start in play.world.starts}:
        verdict = await store.explain(call, RULES, play.now)
        for check in verdict.checks:
            if check.what == LimitKind.CONCURRENT:
                assert check.current == 0, check
            assert check.limit - check.current == play.world.left(check, play.now), check
