"""Threads that look like subagents' tasks and are not on record: all evidence, all causes."""

from dataclasses import replace
from typing import Any

import pytest

from subagent_sidecar.core.ghosts import (
    Cause,
    Ghost,
    Look,
    Not,
    SeenThread,
    judge,
    through_a_sidecar,
)

LOOK = Look(
    recorded={"recorded"},
    made_here={"made-here"},
    agents={"listed"},
    missed_before="2026-01-02T00:00:00.000000Z",
    kept_since="2025-12-01T00:00:00.000000Z",
    begun="2025-12-31T00:00:00.000000Z",
)
NEW, OLD = "2026-01-01T00:00:00.000000Z", "2025-12-30T00:00:00.000000Z"
RAN = {"graph_id": "g", "assistant_id": "uuid-of-g"}
DEEP = {"subagent_name": "coder", "parent_thread_id": "chat", **RAN}
MARKED = {"sidecar_session_id": "s", "sidecar_depth": "0", **RAN}


def thread(thread_id: str = "t", *, at: str = NEW, status: str = "idle", **said: Any) -> SeenThread:
    return SeenThread(
        thread_id=thread_id, status=status, created_at=at, updated_at=at, metadata=said
    )


# (metadata, what it is, agent, session), by who made the thread
DIALECTS: list[tuple[dict[str, Any], object, str | None, str | None]] = [
    # deepagents from 0.7.27 on, with and without a thread of the supervisor's
    (DEEP, Cause.AROUND, "coder", "chat"),
    ({"subagent_name": "coder", **RAN}, Cause.AROUND, "coder", None),
    # 0.7.26
    ({"parent_thread_id": "chat", **RAN}, Cause.AROUND, "g", "chat"),
    # before, and in JavaScript: nothing but the graph
    (RAN, Not.NO_TASK, None, None),
    ({"graph_id": "listed"}, Cause.AROUND, "listed", None),
    # through a sidecar, whose session is the better one
    ({**DEEP, **MARKED}, Cause.ELSEWHERE, "coder", "s"),
    (MARKED, Cause.ELSEWHERE, "g", "s"),
    ({"sidecar_task_id": "t", **RAN}, Cause.ELSEWHERE, "g", None),
    # what others write
    ({}, Not.NO_TASK, None, None),
    ({"created_by": "studio", **RAN}, Not.NO_TASK, None, None),
    ({"subagent_name": "", "parent_thread_id": None, **RAN}, Not.NO_TASK, None, None),
    ({"subagent_name": 7, **RAN}, Not.NO_TASK, None, None),
    ({"subagent_name": "a\ud800" + "b" * 300, **RAN}, Cause.AROUND, "a?" + "b" * 254, None),
    ({"subagent_name": "coder", "graph_id": 7, "assistant_id": "a"}, Cause.AROUND, "coder", None),
    ({"parent_thread_id": "chat", "assistant_id": "a"}, Cause.AROUND, "unknown", "chat"),
    # made for a subagent, and nothing was started on it
    ({"subagent_name": "coder"}, Not.EMPTY, None, None),
]


@pytest.mark.parametrize(("said", "what", "agent", "session"), DIALECTS)
def test_a_thread_is_known_by_what_its_maker_wrote(
    said: dict[str, Any], what: object, agent: str | None, session: str | None
) -> None:
    found = judge(thread(**said), LOOK)
    if isinstance(found, Not):
        assert (found, agent) == (what, None)
        return
    assert (found.cause, found.agent_name, found.session_id) == (what, agent, session)


CAUSES: list[tuple[SeenThread, object]] = [
    (thread(**DEEP), Cause.AROUND),
    (thread(at=OLD, **DEEP), Cause.BEFORE),
    (thread(**MARKED), Cause.ELSEWHERE),
    (thread(at=OLD, **MARKED), Cause.LOST),
    (thread("made-here", **MARKED), Cause.UNSTARTED),
    (thread("made-here", **DEEP), Cause.UNSTARTED),
    (thread("made-here", **RAN), Cause.UNSTARTED),
    (thread("made-here"), Not.EMPTY),
    (thread("recorded", **DEEP), Not.KNOWN),
    (thread("recorded"), Not.KNOWN),
    (thread(at=LOOK.missed_before, **DEEP), Not.YOUNG),
    (thread(at="2027-01-01T00:00:00.000000Z", **DEEP), Not.YOUNG),  # the server's clock is ahead
    (thread("made-here", at=LOOK.missed_before, **MARKED), Not.YOUNG),
    (thread(at="2025-11-30T00:00:00.000000Z", **DEEP), Not.FORGOTTEN),
    (replace(thread(at="2025-11-30T00:00:00.000000Z", **DEEP), updated_at=NEW), Cause.BEFORE),
    (replace(thread(**DEEP), created_at=None, updated_at=None), Cause.AROUND),
    (replace(thread(**MARKED), created_at=None, updated_at=None), Cause.ELSEWHERE),
    # a server that does not write the graph into the thread's metadata
    (thread(subagent_name="a"), Not.EMPTY),
    (thread(status="busy", subagent_name="a"), Cause.AROUND),
    (thread(status="interrupted", subagent_name="a"), Cause.AROUND),
    (replace(thread(subagent_name="a"), status=None), Not.EMPTY),
]


@pytest.mark.parametrize(("seen", "what"), CAUSES)
def test_why_a_task_is_not_on_record_or_need_not_be(seen: SeenThread, what: object) -> None:
    found = judge(seen, LOOK)
    assert (found.cause if isinstance(found, Ghost) else found) is what


def test_every_answer_there_is_was_given() -> None:
    given = {what for _, what, _, _ in DIALECTS} | {what for _, what in CAUSES}
    assert given == {*Cause, *Not}


def test_without_a_beginning_or_an_end_of_the_record_nothing_is_said_of_them() -> None:
    endless = replace(LOOK, begun=None, kept_since=None)
    old = thread(at="2020-01-01T00:00:00.000000Z", **DEEP)
    found = judge(old, endless)
    assert isinstance(found, Ghost) and found.cause is Cause.AROUND


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Cause.AROUND, Cause.ELSEWHERE),
        (Cause.BEFORE, Cause.LOST),
        (Cause.ELSEWHERE, Cause.ELSEWHERE),
        (Cause.LOST, Cause.LOST),
        (Cause.UNSTARTED, Cause.UNSTARTED),
    ],
)
def test_a_run_may_show_what_its_thread_does_not(before: Cause, after: Cause) -> None:
    ghost = Ghost(thread=thread(**DEEP), cause=before, agent_name="a", evidence=())
    assert through_a_sidecar(ghost) == replace(ghost, cause=after)


def test_the_evidence_is_named() -> None:
    found = judge(thread(**{**DEEP, **MARKED, "graph_id": "listed"}), LOOK)
    assert isinstance(found, Ghost)
    assert found.evidence == (
        "subagent_name",
        "parent_thread_id",
        "sidecar_session_id",
        "sidecar_depth",
        "graph_id",
    )
    assert found.assistant_id == "listed"
