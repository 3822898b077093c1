"""One method for each tool, whatever door it was called by."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid5

from ..core import tool_results, tool_words
from ..core.agents import Agent, UpdateStrategy, startable
from ..core.cancel import Outcome
from ..core.model import EndedBy, Task, TaskQuery, TaskStatus
from ..core.toolset import USUAL_WAIT_S, Tool, tools
from ..errors import BadBody, NoSuchAgent, NoSuchTool, NotCancelled, TaskIsOver, TaskNotFound
from ..ports import Store, TaskEnder
from ..service import Service
from . import arguments
from .catalog import Catalog
from .door import Answered, Caller, Door
from .interrupting import Interrupts, ended
from .observing import Observing, Seen, Unread, thread_path
from .told import Told, ToolFailed, names_no_run, run_of, why
from .waits import Waits

Progress = Callable[[float, float, str], Awaitable[None]]
"""Is told how long was waited, for how long at most, and the status."""

_LISTED = 100
_AT_ONCE = 10
_CANCEL_S = 10.0
_LOOK_S = 5.0
"""A wait looks so often by itself; what others see wakes it earlier."""
_CANCELLED = "cancelled by its supervisor (cancel_async_task)"
_KEYS = UUID("9a8f8d5e-6a0b-4c3c-9f39-5f3d1a7c2b10")
_THREAD = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Tools:
    """`result_limit`: how many characters of an answer's text are told. `now` reads seconds on a
    clock that never jumps."""

    def __init__(
        self,
        *,
        door: Door,
        catalog: Catalog,
        service: Service,
        store: Store,
        ender: TaskEnder,
        interrupts: Interrupts,
        waits: Waits,
        result_limit: int,
        now: Callable[[], float],
    ) -> None:
        self._door = door
        self._catalog = catalog
        self._service = service
        self._store = store
        self._ender = ender
        self._interrupts = interrupts
        self._waits = waits
        self._result_limit = result_limit
        self._now = now
        self._stopping = False
        self._observing = Observing(door)

    def stop(self) -> None:
        """From now on nobody waits for anything."""
        self._stopping = True
        self._waits.wake_all()

    async def offered(self, caller: Caller) -> Sequence[Tool]:
        """The tools, with the agents that this caller can start."""
        return tools((await self._startable(caller)).values())

    async def call(
        self, tool: str, given: object, caller: Caller, *, progress: Progress | None = None
    ) -> Told:
        """What a tool has to say. Raises ToolFailed, StoreError."""
        try:
            said = arguments.checked(tool, given)
        except (BadBody, NoSuchTool) as error:
            raise ToolFailed(error.message, error) from error
        match tool:
            case "start_async_task":
                return await self._start(said["description"], said["subagent_type"], caller)
            case "check_async_task":
                return await self._check(said["task_id"], caller)
            case "update_async_task":
                return await self._update(said["task_id"], said["message"], caller)
            case "cancel_async_task":
                return await self._cancel(said["task_id"], caller)
            case "list_async_tasks":
                return await self._list(said.get("status_filter", "all"), caller)
            case _:
                timeout = said.get("timeout", USUAL_WAIT_S)
                return await self._wait(said["task_id"], timeout, caller, progress)

    # Start

    async def _start(self, description: str, name: str, caller: Caller) -> Told:
        agent = await self._catalog.find(name, caller)
        if agent is None:
            raise await self._no_agent(name, caller)
        task_id = await self._thread(agent, caller)
        body = _instruction(agent.assistant_id, [_user(description)], caller)
        fields = _with_session(caller)
        if caller.key is not None:
            fields.append((b"idempotency-key", caller.key.encode()))
        target = f"/to/{agent.upstream}/threads/{quote(task_id, safe='')}/runs"
        answered = await self._door.ask(
            "POST", target, principal=caller.principal, fields=fields, body=body
        )
        if not answered.good:
            raise _not_launched(agent, answered)
        run = run_of(answered)
        if run is None:
            raise names_no_run(lambda why: tool_words.not_launched(agent.name, why), task_id)
        return Told(text=tool_words.launched(task_id), task={"task_id": task_id, **run})

    async def _no_agent(self, name: str, caller: Caller) -> ToolFailed:
        """It may be that only the server that has it could not be asked."""
        failure = self._catalog.failure(caller)
        if failure is not None:
            return ToolFailed(tool_words.not_launched(name, why(failure)), failure)
        text = tool_words.unknown_agent(name, await self._startable(caller))
        return ToolFailed(text, NoSuchAgent(text))

    async def _startable(self, caller: Caller) -> Mapping[str, Agent]:
        return startable(await self._catalog.agents(caller), caller.principal.only)

    async def _thread(self, agent: Agent, caller: Caller) -> str:
        """A thread of the task's own; under a key it is the same one each time."""
        metadata = {"subagent_name": agent.name}
        if _is_thread(caller.session):
            metadata["parent_thread_id"] = caller.session or ""
        body: dict[str, Any] = {"metadata": metadata}
        if caller.key is not None:
            whose = json.dumps([caller.supervisor, caller.session, agent.name, caller.key])
            body |= {"thread_id": str(uuid5(_KEYS, whose)), "if_exists": "do_nothing"}
        answered = await self._door.ask(
            "POST",
            f"/to/{agent.upstream}/threads",
            principal=caller.principal,
            fields=_with_session(caller),
            body=body,
        )
        told = answered.json if answered.good else None
        task_id = told.get("thread_id") if isinstance(told, dict) else None
        if not isinstance(task_id, str):
            raise _not_launched(agent, answered)
        return task_id

    # Check, wait and list

    async def _check(self, task_id: str, caller: Caller) -> Told:
        task = await self._task(task_id, caller)
        return self._told(task, await self._seen(task, caller))

    async def _wait(
        self, task_id: str, timeout_s: float, caller: Caller, progress: Progress | None
    ) -> Told:
        begun = self._now()
        task = await self._task(task_id, caller)
        with self._waits.on(task.task_id) as moved:
            while True:
                moved.clear()
                seen = await self._seen(task, caller)
                waited = self._now() - begun
                if seen.status not in tool_words.ACTIVE:
                    return self._told(task, seen)
                if waited >= timeout_s or self._stopping:
                    return self._told(task, seen, waited_s=waited)
                if progress is not None:
                    await progress(waited, timeout_s, seen.status)
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(timeout_s - waited, _LOOK_S)):
                        await moved.wait()
                task = await self._task(task_id, caller)

    def _told(self, task: Task, seen: Seen, *, waited_s: float | None = None) -> Told:
        run = seen.run or {"error": task.reason}
        blocks: list[tool_results.Block] = []
        if seen.status == "success" and seen.run is not None:
            values = seen.thread.get("values") if seen.thread is not None else None
            blocks = [self._cut(block) for block in tool_results.answer(values)]
        text = tool_results.text(blocks)
        found = tool_words.checked(
            seen.status,
            task.task_id,
            result=text,
            error=run.get("error"),
            interrupts=tool_results.interrupts(seen.thread),
        )
        if waited_s is not None:
            found = tool_words.still_at_it(found, waited_s)
        return Told(
            text=tool_words.as_json(found),
            blocks=() if text is not None else tuple(blocks),
            task=_task_json(task, seen.status) | _newest(seen),
        )

    def _cut(self, block: tool_results.Block) -> tool_results.Block:
        if block["type"] != "text":
            return block
        return {"type": "text", "text": tool_words.cut(block["text"], self._result_limit)}

    async def _list(self, status: str, caller: Caller) -> Told:
        await self._service.entered()
        session = caller.session or f"default:{caller.supervisor}"
        page = await self._store.tasks(
            TaskQuery(session_id=session, supervisor=caller.supervisor, limit=_LISTED)
        )
        tasks = [record.task for record in reversed(page.records)]
        turn = asyncio.Semaphore(_AT_ONCE)

        async def current(task: Task) -> str | None:
            if not (task.live or task.half_seen):
                return task.status.value
            async with turn:
                try:
                    return (await self._observing.seen(task, caller)).status
                except (Unread, ToolFailed):
                    return None

        statuses = await asyncio.gather(*map(current, tasks))
        shown = [
            (task, found)
            for task, found in zip(tasks, statuses, strict=True)
            if status in ("all", found or task.status.value)
        ]
        if not shown:
            return Told(text=tool_words.NO_TASKS, task={"tasks": []})
        lines = [tool_words.line(task, found) for task, found in shown]
        return Told(
            text=tool_words.listed(lines, more=page.next_after is not None),
            task={"tasks": [_task_json(task, found) for task, found in shown]},
        )

    # Update

    async def _update(self, task_id: str, message: str, caller: Caller) -> Told:
        task = await self._task(task_id, caller)
        try:
            seen = await self._observing.seen(task, caller)
        except Unread as unread:
            raise ToolFailed(
                tool_words.not_updated(why(unread.answered)), unread.answered
            ) from unread
        agent = (await self._catalog.agents(caller)).get(task.agent_name)
        strategy = agent.update_strategy if agent else UpdateStrategy.INTERRUPT
        messages = [_user(message)]
        if strategy is not UpdateStrategy.ENQUEUE and seen.status == TaskStatus.PENDING:
            # A server that interrupts a run before it begins drops what that was to work on.
            messages = [*_given(seen), *messages]
        if seen.status in tool_words.ACTIVE and self._interrupts.cancels_first(task, strategy):
            await self._cancel_for_update(task)
        assistant = agent.assistant_id if agent else task.assistant_id or task.agent_name
        body = _instruction(assistant, messages, caller)
        enqueue = strategy is UpdateStrategy.ENQUEUE
        body["multitask_strategy"] = "enqueue" if enqueue else "interrupt"
        fields = [*caller.fields, *caller.context]  # it stays in its session, whoever says more
        answered = await self._door.ask(
            "POST",
            f"{thread_path(task)}/runs",
            principal=caller.principal,
            fields=fields,
            body=body,
        )
        if not answered.good:
            raise ToolFailed(tool_words.not_updated(why(answered)), answered)
        run = run_of(answered)
        if run is None:
            raise names_no_run(tool_words.not_updated, task.task_id)
        if not enqueue and seen.status == TaskStatus.RUNNING:
            self._interrupts.interrupted(task, caller)
        return Told(
            text=tool_words.updated(task.task_id, strategy, seen.status),
            task={"task_id": task.task_id, **run},
        )

    async def _cancel_for_update(self, task: Task) -> None:
        end = await self._interrupts.end(task)
        if not ended(end):
            text = tool_words.not_updated(f"its current run cannot be ended: {end.detail}")
            raise ToolFailed(text, NotCancelled(text))

    # Cancel

    async def _cancel(self, task_id: str, caller: Caller) -> Told:
        task = await self._task(task_id, caller)
        end = await self._ender.end_task(
            task.task_id, by=EndedBy.SUPERVISOR, reason=_CANCELLED, wait_s=_CANCEL_S
        )
        text = tool_words.cancelled(end)
        match end.outcome:
            case Outcome.CANCELLED:
                return Told(text=text, task=_task_json(task, end.status.value))
            case Outcome.ALREADY:
                raise ToolFailed(text, TaskIsOver(text))
            case _:
                raise ToolFailed(text, NotCancelled(text))

    # All of them

    async def _task(self, task_id: str, caller: Caller) -> Task:
        """The caller's task of this id: others' there are none for all that is told."""
        await self._service.entered()
        record = await self._store.task(task_id.strip())
        if record is None or not caller.principal.sees(record.task.supervisor):
            text = tool_words.unknown_task(task_id)
            raise ToolFailed(text, TaskNotFound(text))
        return record.task

    async def _seen(self, task: Task, caller: Caller) -> Seen:
        try:
            return await self._observing.seen(task, caller)
        except Unread as unread:
            text = tool_words.not_checked(why(unread.answered))
            raise ToolFailed(text, unread.answered) from unread


def _not_launched(agent: Agent, answered: Answered) -> ToolFailed:
    return ToolFailed(tool_words.not_launched(agent.name, why(answered)), answered)


def _user(words: str) -> dict[str, Any]:
    return {"role": "user", "content": words}


def _instruction(assistant: str, messages: Sequence[Any], caller: Caller) -> dict[str, Any]:
    """A run as deepagents asks for one."""
    body: dict[str, Any] = {"input": {"messages": list(messages)}, "assistant_id": assistant}
    if _is_thread(caller.session):
        body["config"] = {"configurable": {"deepagents_parent": {"thread_id": caller.session}}}
    return body


def _given(seen: Seen) -> list[Any]:
    """What a run that has not begun is to work on, where its server tells."""
    run = seen.run or {}
    holder = run.get("kwargs") if isinstance(run.get("kwargs"), dict) else run
    given = holder.get("input") if isinstance(holder, dict) else None
    messages = given.get("messages") if isinstance(given, dict) else None
    return messages if isinstance(messages, list) else []


def _with_session(caller: Caller) -> list[tuple[bytes, bytes]]:
    fields = [*caller.fields, *caller.context]
    if caller.session is not None:
        fields.append((b"x-subagent-session", caller.session.encode()))
    return fields


def _is_thread(session: str | None) -> bool:
    """Whether a session is called like a thread, so that apps may look for it as one."""
    return session is not None and _THREAD.fullmatch(session) is not None


def _newest(seen: Seen) -> dict[str, Any]:
    """The run that was looked at, which may be newer than the one on record."""
    run_id = seen.run.get("run_id") if seen.run is not None else None
    return {"run_id": run_id} if isinstance(run_id, str) else {}


def _task_json(task: Task, status: str | None) -> dict[str, Any]:
    return {
        "task_id": task.task_id,
        "agent_name": task.agent_name,
        "status": status,
        "run_id": task.run_id,
        "purpose": task.purpose,
        "created_at": task.created_at,
    }
