"""A start that fails in a way no server answers is put in doubt at once, not forgotten."""

from contextlib import closing
from pathlib import Path

from tests.integration.http.rig import sidecar
from tests.integration.http.test_bad_input import UUID, post
from tests.support.waiting import eventually

from subagent_sidecar.store.driver import sqlite3
from subagent_sidecar.testing import FakeAgentServer

RUNS = b"/threads/" + UUID + b"/runs"


def doubts(path: Path) -> list[str]:
    """Why starts are in doubt, by the store's own file; "" for one that is just open."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return [row[0] or "" for row in db.execute("SELECT in_doubt FROM intents")]


async def test_a_long_start_whose_body_stops_coming_is_in_doubt(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    values = {"store": f"sqlite:///{path}", "inspect_limit": "1KiB", "body_timeout": "200ms"}
    async with FakeAgentServer() as server, sidecar(server.url, **values) as front:
        async with front.wire() as wire:
            await wire.send(post(RUNS, b"{" + b" " * 5_000)[:-2_000])
            assert (await wire.answer()).status == 408
        await eventually(lambda: any("stopped coming" in doubt for doubt in doubts(path)))


async def test_a_client_that_leaves_a_long_start_unfinished_leaves_a_doubt(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    values = {"store": f"sqlite:///{path}", "inspect_limit": "1KiB"}
    async with FakeAgentServer() as server, sidecar(server.url, **values) as front:
        async with front.wire() as wire:
            await wire.send(post(RUNS, b"{" + b" " * 5_000)[:-2_000])
            await eventually(lambda: doubts(path))  # only what was admitted can be left open
        await eventually(lambda: doubts(path) != [] and all(doubts(path)))


async def test_a_request_id_that_cannot_be_found_again_is_replaced() -> None:
    async with FakeAgentServer() as server, sidecar(server.url) as front, front.wire() as wire:
        for fields in ([b"x-request-id: \xff"], [b"x-request-id: a", b"X-Request-Id: b"]):
            await wire.ask(post(RUNS, b'{"assistant_id":"researcher"}', *fields))
            got = server.received("POST", "/runs")[-1].raw_headers
            sent = [value for name, value in got if name.lower() == b"x-request-id"]
            assert len(sent) == 1 and len(sent[0]) == 32
