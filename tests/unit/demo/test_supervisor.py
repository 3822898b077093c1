"""Between the script and LangChain: messages become lines, moves become tool calls."""

import pytest
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, ToolMessage

from subagent_sidecar.demo import graphs, supervisor
from subagent_sidecar.demo.fake_model import MODEL_NAME, FakeChatModel
from subagent_sidecar.demo.script import TURNS, Line

START = {"subagent_type": "researcher", "description": "List the largest moons of Jupiter."}
NOTICE = {"agent_name": "researcher", "task_id": "t1", "status": "success", "run_id": "r1"}


def notification() -> HumanMessage:
    return HumanMessage("done", additional_kwargs={"deepagents_notification": NOTICE})


def conversation() -> list[BaseMessage]:
    call = {"name": "start_async_task", "args": START, "id": "c1"}
    return [
        HumanMessage(TURNS[0].user),
        AIMessage("", tool_calls=[call]),
        ToolMessage("Launched. task_id: t1", tool_call_id="c1", name="start_async_task"),
    ]


def test_the_first_thing_the_model_does_is_to_start_the_researcher() -> None:
    (call,) = supervisor.decide([HumanMessage(TURNS[0].user)]).tool_calls
    assert (call["name"], call["args"]) == ("start_async_task", START)


def test_tool_calls_of_one_conversation_have_different_ids() -> None:
    first = supervisor.decide(conversation()[:1]).tool_calls[0]["id"]
    assert supervisor.decide(conversation()).tool_calls[0]["id"] != first


def test_a_tools_answer_is_joined_with_what_it_was_asked() -> None:
    assert list(supervisor.lines(conversation())) == [
        Line("user", TURNS[0].user),
        Line("tool", "Launched. task_id: t1", tool="start_async_task", args=START),
    ]


def test_a_notification_is_not_the_user_speaking() -> None:
    assert list(supervisor.lines([notification()])) == []


@pytest.mark.parametrize(
    ("message", "event"),
    [
        (conversation()[1], {"event": "call", "tool": "start_async_task", "args": START}),
        (
            conversation()[2],
            {"event": "result", "tool": "start_async_task", "text": "Launched. task_id: t1"},
        ),
        (AIMessage("Done."), {"event": "answer", "text": "Done."}),
        (
            notification(),
            {"event": "notice", "agent": "researcher", "task_id": "t1", "status": "success"},
        ),
    ],
)
def test_every_message_of_interest_becomes_an_event(
    message: BaseMessage, event: dict[str, object]
) -> None:
    assert list(supervisor.events(message)) == [event]


def test_the_users_own_words_are_no_event() -> None:
    assert list(supervisor.events(HumanMessage("hello"))) == []


async def test_the_fake_model_counts_the_tokens_of_what_goes_in_and_out() -> None:
    model = FakeChatModel(answer=lambda messages: AIMessage("y" * 40), seconds=0)
    message = await model.ainvoke([HumanMessage("x" * 400)])
    assert message.usage_metadata == {
        "input_tokens": 100,
        "output_tokens": 10,
        "total_tokens": 110,
    }
    assert message.response_metadata["model_name"] == MODEL_NAME


def test_the_researcher_looks_up_what_was_asked_for_by_whoever_asked() -> None:
    asked = [HumanMessage("The moons of Saturn."), HumanMessage("And Jupiter.")]
    assert graphs.asked_for(asked) == ["Jupiter", "Saturn"]
    assert graphs.asked_for([HumanMessage("x"), AIMessage("Jupiter")]) == []


def test_a_follow_up_goes_on_from_the_notes_of_the_interrupted_run() -> None:
    notes = AIMessage("Looked up Jupiter: Ganymede.")
    messages: list[AnyMessage] = [
        HumanMessage("Jupiter."),
        notes,
        HumanMessage("Saturn too."),
    ]
    assert graphs.missing(messages) == ["Saturn"]
    assert graphs.after_research({"messages": messages}) == "look_up"
    found = AIMessage("Looked up Saturn: Titan.")
    assert graphs.after_research({"messages": [*messages, found]}) == "write"


def test_the_coder_comes_to_an_end_by_itself() -> None:
    parts: list[AnyMessage] = [AIMessage("Wrote part 1.")] * (graphs.CODING_STEPS - 1)
    assert graphs.after_code({"messages": parts}) == "code"
    assert graphs.after_code({"messages": [*parts, AIMessage("Wrote part 12.")]}) == "__end__"
