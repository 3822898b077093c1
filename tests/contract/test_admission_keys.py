"""Keys for some agents: a start is held against every name it has, where starts are decided."""

from typing import Any

import pytest
from tests.support.books import accepted, at, start

from subagent_sidecar.core.model import Item
from subagent_sidecar.core.refusal import Refused
from subagent_sidecar.ports import Store

MINE = ("writer", "res*")


@pytest.mark.parametrize(
    ("named", "out"),
    [
        ({"assistant_id": "writer"}, None),
        ({"assistant_id": "researcher", "agent_name": "writer"}, None),
        ({"assistant_id": "coder"}, "coder"),
        ({"assistant_id": "coder", "agent_name": "writer"}, "coder"),
        ({"assistant_id": "writer", "agent_name": "coder"}, "coder"),
        ({"assistant_id": None, "agent_name": None}, "unknown"),
    ],
)
async def test_by_every_name(named: dict[str, Any], out: str | None, store: Store) -> None:
    asked = start(1, **{"agents": MINE, **named})
    if out is None:
        assert (await store.admit(asked)).intent_id == asked.intent_id
        return
    with pytest.raises(Refused) as refused:
        await store.admit(asked)
    assert (refused.value.code, refused.value.status) == ("key_agents", 403)
    assert refused.value.deny.check.scope_id == out
    assert "you may start writer or res* here, and no other agent" in refused.value.message
    assert await store.open_intents(before=at(9)) == []


async def test_one_of_a_batch_is_all_of_it(store: Store) -> None:
    items = (Item(assistant_id="writer"), Item(assistant_id="coder"))
    with pytest.raises(Refused, match="nor any other of the 2 runs"):
        await store.admit(start(1, thread_id=None, batch=True, items=items, agents=MINE))
    assert await store.open_intents(before=at(9)) == []


async def test_a_follow_up_that_names_nothing_runs_what_its_task_runs(store: Store) -> None:
    intent = await store.admit(start(1, assistant_id="coder", agent_name="writer"))
    await store.apply([accepted(intent, "r1", 2)])
    assert intent.thread_id is not None
    follow_up = {"assistant_id": None, "agent_name": None, "thread_id": intent.thread_id}
    with pytest.raises(Refused) as refused:
        await store.admit(start(3, agents=MINE, **follow_up))
    assert refused.value.deny.check.scope_id == "coder"
    await store.admit(start(4, **follow_up))
