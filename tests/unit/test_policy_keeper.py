"""Reloads: all of what the files say comes into force, or nothing of it (failures.md 11)."""

import asyncio
import logging
import random
from pathlib import Path

import pytest
from tests.support.counting import Counted
from tests.support.policies import mutated
from tests.support.policies.keeping import BAD, Desk, policy
from tests.support.waiting import eventually

from subagent_sidecar.core.decide import decide
from subagent_sidecar.core.matching import Call
from subagent_sidecar.core.policy import Policy
from subagent_sidecar.core.policy_state import PolicyState
from subagent_sidecar.core.verdict import Allow, Deny
from subagent_sidecar.errors import PolicyInvalid
from subagent_sidecar.tasks import spawn


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def test_what_was_there_at_the_start_is_in_force(desk: Desk) -> None:
    assert desk.rules == ["a", "b", "c"]
    state = desk.keeper.state
    assert (state.reloads, state.failures, state.failed) == (0, 0, None)
    assert state.files == (str(desk.first), str(desk.second))
    assert dict(state.origins) == {"a": "first", "b": "second", "c": "second"}


async def test_a_reload_puts_in_force_what_the_files_say_now(desk: Desk) -> None:
    before = desk.keeper.state
    desk.write(desk.second, policy("d"))
    desk.clock.tick(60)
    state = await desk.keeper.reload(why="a test")
    assert desk.rules == ["a", "d"]
    assert state is desk.keeper.state and state.policy is desk.service.policy
    assert state.version != before.version
    assert (state.loaded_at, state.reloads) == ("2026-01-01T00:01:00.000000Z", 1)


async def test_a_bad_file_changes_nothing_and_everything_wrong_is_told(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    in_force, before = desk.service.policy, desk.keeper.state
    desk.write(desk.first, policy("fine"))
    desk.write(desk.second, BAD)
    problems = await desk.refused()
    assert [problem.partition(": ")[0] for problem in problems] == [
        f"{desk.second}:3",
        f"{desk.second}:4",
    ]
    assert desk.service.policy is in_force
    state = desk.keeper.state
    assert (state.version, state.loaded_at) == (before.version, before.loaded_at)
    assert state.failed is not None
    assert (state.failures, state.failed.problems) == (1, problems)
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert said[:2] == [f"policy not reloaded: {problem}" for problem in problems]
    assert "what was in force since 2026-01-01T00:00:00.000000Z stays so" in said[2]


async def test_a_file_that_is_gone_changes_nothing(desk: Desk) -> None:
    desk.second.unlink()
    assert await desk.refused() == (f"{desk.second}: cannot be read: No such file or directory",)
    assert desk.rules == ["a", "b", "c"]


async def test_failures_are_counted_and_forgiven_by_a_reload_that_goes_well(desk: Desk) -> None:
    desk.write(desk.second, BAD)
    await desk.refused()
    await desk.refused()
    desk.write(desk.second, policy("b", "c"))
    state = await desk.keeper.reload(why="a test")
    assert (state.reloads, state.failures, state.failed) == (1, 2, None)


async def test_what_says_the_same_is_no_other_version(desk: Desk) -> None:
    in_force, before = desk.service.policy, desk.keeper.state
    desk.write(desk.first, "# a comment\n" + policy("a"))
    desk.clock.tick(60)
    state = await desk.keeper.reload(why="a test")
    assert desk.service.policy is in_force
    assert (state.version, state.loaded_at) == (before.version, before.loaded_at)


async def test_a_rule_that_moved_to_another_file_is_another_version(desk: Desk) -> None:
    before = desk.keeper.state
    desk.write(desk.first, policy("a", "b"))
    desk.write(desk.second, policy("c"))
    assert (await desk.keeper.reload(why="a test")).version != before.version


async def test_whoever_follows_is_told_at_once_and_at_every_change_but_of_nothing_else(
    desk: Desk,
) -> None:
    told: list[Policy] = []
    desk.keeper.follow(told.append)
    desk.write(desk.second, BAD)
    await desk.refused()
    desk.write(desk.second, policy("d"))
    await desk.keeper.reload(why="a test")
    await desk.keeper.reload(why="again")
    assert [[rule.name for rule in policy.rules] for policy in told] == [
        ["a", "b", "c"],
        ["a", "d"],
    ]


async def test_a_signal_reloads_and_a_bad_file_does_not_end_that(desk: Desk) -> None:
    asked = asyncio.Event()
    task = spawn(desk.keeper.heed(asked), name="heed", awaited=True)
    desk.write(desk.second, BAD)
    asked.set()
    await eventually(lambda: desk.keeper.state.failures == 1)
    desk.write(desk.second, policy("d"))
    asked.set()
    await eventually(lambda: desk.rules == ["a", "d"])
    task.cancel()


# Row 11: two hundred edits under load.


def generation(number: int) -> tuple[str, str]:
    """Two files whose every rule says which generation it is of, and is about the same call."""
    first, second = (
        "".join(
            f"  - {{name: g{number}-{file}{rule}, match: {{agent: [coder, {file}{rule}]}}, "
            f"concurrent: {number + 1}, per: session}}\n"
            for rule in range(4)
        )
        for file in "pq"
    )
    return f"version: 1\nlimits:\n{first}", f"version: 1\nlimits:\n{second}"


CALL = Call(agent="coder", upstream="up", supervisor="ann", session="s")


async def test_two_hundred_edits_under_load_and_no_start_is_decided_by_a_mix(desk: Desk) -> None:
    chance = random.Random(11)
    versions: dict[str, PolicyState] = {}
    decided: list[tuple[Allow | Deny, str, str]] = []
    over = asyncio.Event()

    async def starts() -> None:
        """Decides with what is in force, and notes which versions that may be."""
        while not over.is_set():
            before, policy = desk.keeper.state.version, desk.service.policy
            await asyncio.sleep(0.001)  # the pace of the load; nothing is waited for
            verdict = decide(policy, Counted(), CALL, desk.clock.now())
            decided.append((verdict, before, desk.keeper.state.version))

    load = [spawn(starts(), name="starts", awaited=True) for _ in range(4)]
    versions[desk.keeper.state.version] = desk.keeper.state
    refused = 0
    for number in range(200):
        for path, text in zip((desk.first, desk.second), generation(number), strict=True):
            broken = mutated(text, chance) if chance.random() < 0.6 else text
            desk.write(path, broken)
        try:
            state = await desk.keeper.reload(why="a test")
        except PolicyInvalid as error:
            assert error.problems
            state, refused = desk.keeper.state, refused + 1
        versions[state.version] = state
    over.set()
    await asyncio.gather(*load)

    said = {
        version: decide(state.policy, Counted(), CALL, desk.clock.now())
        for version, state in versions.items()
    }
    assert 30 < refused < 170 and len(versions) > 30
    assert len(decided) > 200
    for verdict, before, after in decided:
        assert verdict in (said[before], said[after])
