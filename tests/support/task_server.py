"""ports.AgentServer with a memory: threads and runs that a test moves by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.agent_server import server_run

from subagent_sidecar.clock import SystemClock
from subagent_sidecar.core.ghosts import SeenThread
from subagent_sidecar.errors import UpstreamError, UpstreamRefused
from subagent_sidecar.ports import Headers, ServerRun, ThreadState


@dataclass
class TaskThread:
    """`runs` are the statuses by run id, oldest first."""

    word: str = "busy"
    runs: dict[str, str] = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)


@dataclass
class TaskServer:
    """`searches` and `lists`: whether it has those routes. `down` fails every call, `key` is what
    it wants to be shown, `refuses` are the beginnings of questions that fail with that status."""

    threads_: dict[str, TaskThread] = field(default_factory=dict)
    searches: bool = True
    lists: bool = True
    down: UpstreamError | None = None
    key: bytes | None = None
    refuses: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def begin(self, run_id: str, thread_id: str = "t", *, status: str = "running") -> None:
        thread = self.threads_.setdefault(thread_id, TaskThread())
        thread.word, thread.runs[run_id] = "busy", status
        thread.made.setdefault(run_id, SystemClock().now().isoformat())

    def end(self, run_id: str, status: str, word: str, thread_id: str = "t") -> None:
        thread = self.threads_[thread_id]
        thread.runs[run_id], thread.word = status, word

    def lose(self, thread_id: str = "t") -> None:
        del self.threads_[thread_id]

    def asked_for(self, beginning: str) -> list[str]:
        return [question for question in self.asked if question.startswith(beginning)]

    def _ask(self, question: str, auth: Headers) -> None:
        self.asked.append(question)
        if self.down is not None:
            raise self.down
        if self.key is not None and (b"x-api-key", self.key) not in auth:
            raise UpstreamRefused("the server answered 401", answered=401)
        for beginning, status in self.refuses.items():
            if question.startswith(beginning):
                raise UpstreamRefused(f"the server answered {status}", answered=status)

    async def run(self, thread_id: str, run_id: str, *, auth: Headers = ()) -> ServerRun | None:
        self._ask(f"run {run_id}", auth)
        thread = self.threads_.get(thread_id)
        status = None if thread is None else thread.runs.get(run_id)
        return None if status is None else server_run(run_id, thread_id, status)

    async def runs(
        self, thread_id: str, *, limit: int, auth: Headers = ()
    ) -> Sequence[ServerRun] | None:
        self._ask(f"runs {thread_id}", auth)
        thread = self.threads_.get(thread_id)
        if thread is None or not self.lists:
            return None
        made = [
            server_run(run_id, thread_id, status, created_at=thread.made[run_id])
            for run_id, status in thread.runs.items()
        ]
        return made[::-1][:limit]

    async def thread_status(self, thread_id: str, *, auth: Headers = ()) -> str | None:
        self._ask(f"thread {thread_id}", auth)
        thread = self.threads_.get(thread_id)
        return None if thread is None else thread.word

    async def threads(
        self, thread_ids: Sequence[str], *, auth: Headers = ()
    ) -> Mapping[str, str] | None:
        self._ask(f"threads {' '.join(thread_ids)}", auth)
        if not self.searches:
            return None
        return {each: self.threads_[each].word for each in thread_ids if each in self.threads_}

    async def run_input(self, thread_id: str, run_id: str, *, auth: Headers = ()) -> Any:
        raise NotImplementedError

    async def listed_threads(
        self, *, limit: int, offset: int, auth: Headers = ()
    ) -> Sequence[SeenThread] | None:
        self._ask("all threads", auth)
        return [SeenThread(thread_id=one) for one in self.threads_][offset : offset + limit]

    async def state(self, thread_id: str, *, auth: Headers = ()) -> ThreadState | None:
        raise NotImplementedError

    async def cancel(
        self, thread_id: str, run_id: str, *, rollback: bool = False, auth: Headers = ()
    ) -> bool:
        raise NotImplementedError

    async def blank_since(self, thread_id: str, *, auth: Headers = ()) -> str | None:
        raise NotImplementedError

    async def delete_thread(self, thread_id: str, *, auth: Headers = ()) -> bool:
        self._ask(f"delete {thread_id}", auth)
        return self.threads_.pop(thread_id, None) is not None

    async def graph_of(self, assistant_id: str, *, auth: Headers = ()) -> str | None:
        raise NotImplementedError

    async def graph_of_tool(self, tool: str, *, auth: Headers = ()) -> str | None:
        raise NotImplementedError

    async def outcome(self, thread_id: str, run_id: str, *, auth: Headers = ()) -> str | None:
        self._ask(f"outcome {run_id}", auth)
        thread = self.threads_.get(thread_id)
        return None if thread is None else thread.runs.get(run_id)
