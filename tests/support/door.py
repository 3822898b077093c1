"""Starts that ask a store to be let in, in few words: one second after the other."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.support.books import accepted, at, start
from tests.support.stores import END_OF_TIME

from subagent_sidecar.core.changes import Change, RunSeen, ThreadSeen
from subagent_sidecar.core.matching import Call
from subagent_sidecar.core.model import Intent, RunStatus, ThreadStatus
from subagent_sidecar.core.policy import Policy
from subagent_sidecar.core.refusal import Refused
from subagent_sidecar.ports import Store


@dataclass
class Door:
    """The door of a store. The run of a task `t` is `t's`, and the session is `s`."""

    store: Store
    rules: Policy
    second: int = 0

    async def ask(self, thread_id: str | None = None, **facts: Any) -> Intent | str:
        """The start, let in and on its way; or the code it is refused with."""
        self.second += 1
        asked = start(self.second, thread_id, **{"header_session": "s", **facts})
        try:
            return await self.store.admit(asked, self.rules)
        except Refused as refusal:
            return refusal.code

    async def let_in(self, thread_id: str | None = None, **facts: Any) -> Intent:
        found = await self.ask(thread_id, **facts)
        assert isinstance(found, Intent), found
        return found

    async def started(self, *thread_ids: str, **facts: Any) -> None:
        for thread_id in thread_ids:
            intent = await self.let_in(thread_id, **facts)
            run_id = f"{thread_id}'s"
            await self.tell(accepted(intent, run_id, self.second, thread_id=thread_id))

    async def seen(self, thread_id: str, status: str, thread: ThreadStatus | None = None) -> None:
        """The task's run, and if it is said its thread, are seen in that status."""
        now, run_id = at(self.second), f"{thread_id}'s"
        word = RunStatus(status)
        changes: list[Change] = [RunSeen(thread_id=thread_id, run_id=run_id, status=word, at=now)]
        if thread is not None:
            changes.append(ThreadSeen(thread_id=thread_id, status=thread, at=now))
        await self.tell(*changes)

    async def tell(self, *changes: Change) -> None:
        await self.store.apply(changes)

    async def open(self) -> list[str]:
        """Starts that are on their way, by their intents' ids."""
        return [i.intent_id for i in await self.store.open_intents(before=END_OF_TIME)]

    async def used(self, rule: str, **facts: Any) -> int:
        """What a rule counts now for such a start."""
        usual = {"agent": "graph", "upstream": "up", "supervisor": "ann", "session": "s"}
        call = Call(**{**usual, **facts})
        now = datetime.fromisoformat(at(self.second))
        verdict = await self.store.explain(call, self.rules, now)
        return next(check.current for check in verdict.checks if check.rule == rule)
