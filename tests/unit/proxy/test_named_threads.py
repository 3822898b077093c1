"""Which threads a body names, as servers read it."""

from typing import Any

import pytest

from subagent_sidecar.errors import BadBody, NeedsEveryTask, RunNotFound
from subagent_sidecar.proxy.named_threads import cancelled, contexts, made_as, only_harmless

T, U = "0a1b2c3d-0000-7000-8000-0123456789ab", "0a1b2c3d-0000-7000-8000-ba9876543210"


def sent(**message: Any) -> dict[str, Any]:
    return {"method": "message/send", "params": {"message": message}}


def asked(method: str = "tasks/get", **params: Any) -> dict[str, Any]:
    return {"method": method, "params": params}


@pytest.mark.parametrize(
    ("body", "there", "perhaps"),
    [
        (sent(), "", ""),
        (sent(contextId=T), "", T),
        (sent(contextId=T.upper()), "", T),
        (sent(contextId=f"urn:uuid:{T}"), "", T),
        (sent(contextId=T, taskId=f"{T}:run"), T, ""),
        (sent(contextId=T, taskId=f"{U}:run"), U, T),
        (sent(context_id=T, task_id=f"{U}:run"), U, T),
        (sent(contextId=T, referenceTaskIds=[f"{U}:run", 5]), U, T),
        (asked(id=f"{T}:run"), T, ""),
        (asked("GetTask", name=f"tasks/{T}:run"), T, ""),
        (asked("CancelTask", id="run", contextId=T), f"run {T}", ""),
        ([asked(id=T), asked(id=U)], f"{T} {U}", ""),
        ({"method": "GetExtendedAgentCard"}, "", ""),
    ],
)
def test_a_message_names_threads_by_contexts_and_tasks(body: Any, there: str, perhaps: str) -> None:
    found = contexts(body)
    assert sorted(found.there) == sorted(there.split())
    assert sorted(found.perhaps) == sorted(perhaps.split())


@pytest.mark.parametrize("method", ["tasks/list", "ListTasks", "tasks/resubscribe", None, 5, []])
def test_what_nobody_knows_is_closed(method: Any) -> None:
    with pytest.raises(NeedsEveryTask):
        contexts({"method": method})
    with pytest.raises(NeedsEveryTask):
        contexts([asked(id=T), {"method": method}])


@pytest.mark.parametrize("body", [None, 5, "text", [None], [[]]])
def test_what_is_no_message_is_refused(body: Any) -> None:
    for read in (contexts, only_harmless):
        with pytest.raises(BadBody):
            read(body)


def test_of_mcp_what_asks_for_no_thread_is_harmless() -> None:
    for method in ("initialize", "ping", "tools/list", "tools/call", "notifications/initialized"):
        only_harmless({"method": method})
    only_harmless({"id": 1, "result": {}})
    unknown: list[Any] = ["resources/read", "sampling/createMessage", 5, ["ping"]]
    for each in unknown:
        with pytest.raises(NeedsEveryTask):
            only_harmless([{"method": "ping"}, {"method": each}])


def test_a_thread_is_made_under_the_id_that_its_maker_gives() -> None:
    silent: list[Any] = [{}, {"thread_id": None}, {"thread_id": ""}, [], None]
    for body in silent:
        assert made_as(body) is None
    assert made_as({"thread_id": T.upper()}) == T
    with pytest.raises(BadBody):
        made_as({"thread_id": 5})


def test_a_bulk_cancel_names_what_it_is_about() -> None:
    assert cancelled({"thread_id": T.upper(), "run_ids": [U]}) == (T, [U])
    unclear: list[Any] = [{}, None, {"thread_id": T}, {"status": "all"}]
    for body in unclear:
        with pytest.raises(NeedsEveryTask):
            cancelled(body)
    with pytest.raises(NeedsEveryTask):
        cancelled({"thread_id": T, "run_ids": [U], "status": "all"})
    with pytest.raises(RunNotFound):
        cancelled({"thread_id": T, "run_ids": [5]})


def test_a_body_does_not_name_any_number_of_things() -> None:
    with pytest.raises(BadBody, match="1,001"):
        cancelled({"thread_id": T, "run_ids": [str(number) for number in range(1_001)]})
    with pytest.raises(BadBody):
        contexts([asked(id=str(number)) for number in range(1_001)])
