"""Text no store may change or choke on (failures.md 26)."""

import pytest
from tests.support.books import at, start

from subagent_sidecar.core.changes import Accepted, NewRun, RunGone
from subagent_sidecar.core.model import EndedBy, TaskQuery
from subagent_sidecar.ports import Store

ODD = {
    "NUL": "a\0b",
    "emoji": "🚀👩‍👩‍👧",
    "long": "x" * 100_000,
    "quotes": "'; DROP TABLE tasks; --\"`",
    "wildcards": "%_*?[a-z]",
    "line breaks": "a\r\nb\u2028c",
    "right to left": "\u202eabc",
    "highest": "\U0010ffff",
    "spaces": "  ",
    "json": '{"a": [1, null]}',
}


@pytest.mark.parametrize("text", ODD.values(), ids=ODD.keys())
async def test_any_text_comes_back_as_it_went_in(store: Store, text: str) -> None:
    intent = await store.admit(
        start(1, text, header_session=text, agent_name=text, assistant_id=text, purpose=text)
    )
    new = NewRun(run_id=text, thread_id=text)
    await store.apply([Accepted(intent=intent, at=at(2), runs=(new,))])
    gone = RunGone(thread_id=text, run_id=text, by=EndedBy.REAPER, at=at(3), reason=text)
    await store.apply([gone])
    record = await store.task(text)
    assert record is not None
    task = record.task
    kept = (task.task_id, task.session_id, task.agent_name, task.purpose, task.reason)
    assert kept == (text,) * 5
    assert [run.run_id for run in record.runs] == [text]
    assert record.short_id == text[-8:]
    assert list(await store.tasks_named(text, limit=5)) == [text]
    assert [event.kind for event in await store.events(text, limit=5)][:1] == ["started"]
    found = await store.tasks(TaskQuery(session_id=text, agent_name=text))
    assert [record.task.task_id for record in found.records] == [text]
