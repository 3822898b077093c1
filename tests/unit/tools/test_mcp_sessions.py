"""MCP sessions keep leases while their clients are there."""

from dataclasses import dataclass, field
from typing import Any, cast

from subagent_sidecar.errors import SessionOver
from subagent_sidecar.service import Service
from subagent_sidecar.testing import FakeClock
from subagent_sidecar.tools import McpSessions


@dataclass
class Books:
    """As much of Service as is asked for."""

    told: list[tuple[str, str]] = field(default_factory=list)
    over: bool = False

    @property
    def sessions(self) -> "Books":
        return self

    async def beat(self, supervisor: str, session: str, *, lease_s: int, reopen: bool) -> None:
        assert (supervisor, lease_s, reopen) == ("anonymous", 600, False)
        self.told.append(("beat", session))
        if self.over:
            raise SessionOver("over", ended_at=None)

    async def end(self, supervisor: str, session: str, *, by: Any, reason: str) -> None:
        self.told.append(("end", session))


def sessions(books: Books, clock: FakeClock) -> McpSessions:
    service = cast(Service, books)
    return McpSessions(service, now=clock.monotonic)


async def test_a_session_that_has_started_nothing_is_nobodys_business() -> None:
    books, clock = Books(), FakeClock()
    mine = sessions(books, clock)
    with mine.present("a"):
        await mine.renew()
    await mine.end("a")
    assert not books.told


async def test_a_lease_is_renewed_while_a_client_listens() -> None:
    books, clock = Books(), FakeClock()
    mine = sessions(books, clock)
    with mine.present("a"):
        await mine.started("a", "anonymous")
        for _ in range(3):
            clock.tick(60)
            await mine.renew()
    assert books.told == [("beat", "mcp:a")] * 4


async def test_a_client_that_vanished_lets_its_lease_run_out() -> None:
    books, clock = Books(), FakeClock()
    mine = sessions(books, clock)
    with mine.present("a"):
        await mine.started("a", "anonymous")
    clock.tick(60)
    await mine.renew()
    clock.tick(1)
    await mine.renew()
    assert len(books.told) == 2


async def test_a_client_that_comes_back_renews_it_again() -> None:
    books, clock = Books(), FakeClock()
    mine = sessions(books, clock)
    await mine.started("a", "anonymous")
    clock.tick(3_000)
    await mine.renew()
    with mine.present("a"):
        await mine.renew()
    assert len(books.told) == 2


async def test_an_end_is_told_once() -> None:
    books, clock = Books(), FakeClock()
    mine = sessions(books, clock)
    await mine.started("a", "anonymous")
    await mine.end("a")
    await mine.end("a")
    await mine.renew()
    assert books.told == [("beat", "mcp:a"), ("end", "mcp:a")]


async def test_a_session_that_an_operator_ended_is_left_alone() -> None:
    books, clock = Books(over=True), FakeClock()
    mine = sessions(books, clock)
    await mine.started("a", "anonymous")
    await mine.renew()
    assert {what for what, _ in books.told} == {"beat"}
