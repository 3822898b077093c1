"""What a start is when it comes in: whose, how deep, new or a follow-up."""

import pytest
from tests.support.books import Story, at, start

from subagent_sidecar.core.admission import admit
from subagent_sidecar.core.model import IntentKind, RunStatus

# (header, the thread's own, body) -> the session: the first that is named wins
SESSIONS = [
    ("h", "t", "b", "h"),
    ("h", None, None, "h"),
    ("h", None, "b", "h"),
    (None, "t", "b", "t"),
    (None, "t", None, "t"),
    (None, None, "b", "b"),
    (None, None, None, "default:ann"),
    ("", "", "", "default:ann"),
]


@pytest.mark.parametrize(("header", "thread", "body", "expected"), SESSIONS)
def test_the_session_of_a_start(
    header: str | None, thread: str | None, body: str | None, expected: str
) -> None:
    story = Story()
    story.thread_created(session_id=thread)
    assert story.admitted(header_session=header, body_session=body).session_id == expected


def test_without_a_known_thread_the_request_alone_names_the_session() -> None:
    assert Story().admitted(body_session="b").session_id == "b"
    assert Story().admitted(None).session_id == "default:ann"


# (subagent_name in the run, in the thread, assistant) -> the agent
AGENTS = [
    ("run", "thread", "graph", "run"),
    (None, "thread", "graph", "thread"),
    (None, None, "graph", "graph"),
    (None, None, None, "unknown"),
]


@pytest.mark.parametrize(("said", "thread", "assistant", "expected"), AGENTS)
def test_the_agent_of_a_start(
    said: str | None, thread: str | None, assistant: str | None, expected: str
) -> None:
    story = Story()
    story.thread_created(agent_name=thread)
    assert story.admitted(agent_name=said, assistant_id=assistant).agent_name == expected


def test_a_task_belongs_to_whoever_made_its_thread() -> None:
    story = Story()
    story.thread_created(supervisor="bob")
    assert story.admitted(supervisor="ann").supervisor == "bob"


def test_a_session_that_is_no_task_is_the_root() -> None:
    intent = Story().admitted(header_session="conversation")
    assert (intent.depth, intent.parent_task_id) == (0, None)


def test_each_generation_is_one_deeper_than_its_parent() -> None:
    story = Story()
    story.started("r1", "grandmother", header_session="conversation")
    story.started("r2", "mother", header_session="grandmother")
    daughter = story.admitted("daughter", header_session="mother")
    assert (daughter.depth, daughter.parent_task_id) == (2, "mother")
    assert story.task("mother").depth == 1


def test_what_a_task_starts_without_a_thread_is_below_it_too() -> None:
    story = Story()
    story.started("r1", "mother")
    intent = story.admitted(None, body_session="mother")
    assert (intent.depth, intent.parent_task_id) == (1, "mother")


KINDS = [
    ({"thread_id": "t"}, IntentKind.START),
    ({"thread_id": None}, IntentKind.STATELESS),
    ({"thread_id": None, "batch": True}, IntentKind.BATCH),
    ({"thread_id": None, "cron": True}, IntentKind.CRON),
    ({"thread_id": "t", "cron": True}, IntentKind.CRON),
]


@pytest.mark.parametrize(("facts", "expected"), KINDS)
def test_the_kind_of_a_start(facts: dict[str, str], expected: IntentKind) -> None:
    assert Story().admitted(**facts).kind is expected


def test_a_start_on_a_known_task_is_an_update_and_keeps_what_the_task_is() -> None:
    story = Story()
    story.thread_created(session_id="mother", agent_name="coder", supervisor="bob")
    story.started("r0", "mother")
    story.started("r1")
    update = story.admitted(
        header_session="other",
        agent_name="other",
        supervisor="other",
        strategy="interrupt",
        purpose="also EU",
    )
    kept = (update.session_id, update.agent_name, update.supervisor, update.depth)
    assert update.kind is IntentKind.UPDATE
    assert kept == ("mother", "coder", "bob", 1)
    assert (update.parent_task_id, update.strategy, update.purpose) == (
        "mother",
        "interrupt",
        "also EU",
    )


def test_an_update_may_follow_a_task_that_has_ended() -> None:
    story = Story()
    story.started("r1")
    story.run_seen("r1", RunStatus.SUCCESS)
    assert story.admitted().kind is IntentKind.UPDATE


def test_a_cron_on_a_known_task_is_no_update_of_it() -> None:
    story = Story()
    story.started("r1")
    assert story.admitted(cron=True).kind is IntentKind.CRON


def test_an_intent_says_what_the_start_said_and_is_on_record() -> None:
    story = Story()
    intent = admit(story.tables, start(7, purpose="find out", strategy="enqueue"))
    assert (intent.intent_id, intent.request_id, intent.created_at) == ("i7", "req7", at(7))
    assert (intent.purpose, intent.strategy, intent.assistant_id) == (
        "find out",
        "enqueue",
        "graph",
    )
    assert story.tables.intent("i7") == intent


def test_admission_alone_makes_no_task() -> None:
    story = Story()
    story.admitted()
    assert story.tables.tasks == {}
    assert story.tables.events == []


def test_the_name_of_a_default_session_is_no_parent() -> None:
    story = Story()
    story.started("r1", "default:ann", header_session="conversation")
    intent = story.admitted("t2")
    assert (intent.session_id, intent.depth, intent.parent_task_id) == ("default:ann", 0, None)


def test_a_task_that_never_ran_is_no_parent() -> None:
    story = Story()
    story.doubted(story.admitted("mother"))
    assert story.admitted("daughter", header_session="mother").parent_task_id is None
