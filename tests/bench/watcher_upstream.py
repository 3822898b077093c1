"""The agent server of `watcher`, in a process of its own: PORT TASKS [--no-search].

It has TASKS threads with one run each, all of them at work, until POST /bench/ends lets some end:
`{"count": n, "over_s": s}`, at random times within that many seconds. GET /bench/report tells the
moments (monotonic seconds) at which they ended, and those of every request with its kind.
"""

import argparse
import asyncio
import random
import re
import time
from typing import Any

import msgspec

_THREAD = "01a2064f-5864-7545-89d1-"
_RUN = "01a2064f-5871-7040-883a-"
_ASKED = re.compile(r"/threads/(?:(?P<search>search)|(?P<thread>[^/?]+)(?P<rest>[^?]*))")
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_NONE = b'{"detail":"Not Found"}'
_OUTCOMES = (("success", "idle"), ("error", "error"))


def thread_id(number: int) -> str:
    return f"{_THREAD}{number:012x}"


def run_id(number: int) -> str:
    return f"{_RUN}{number:012x}"


class Fleet:
    """The threads, and a journal of what was asked about them."""

    def __init__(self, tasks: int, *, searches: bool) -> None:
        self._tasks = tasks
        self._searches = searches
        self._ends: dict[int, float] = {}
        self._requests: list[tuple[float, str]] = []

    def answer(self, target: str, body: bytes) -> tuple[int, bytes]:
        """Status and body."""
        if target == "/bench/ends":
            self._let_end(**msgspec.json.decode(body))
            return 200, b"{}"
        if target == "/bench/report":
            ends = {thread_id(number): at for number, at in self._ends.items()}
            return 200, msgspec.json.encode({"ends": ends, "requests": self._requests})
        asked = _ASKED.match(target)
        if asked is None:
            return 404, _NONE
        kind, answer = self._read(asked, body)
        self._requests.append((time.monotonic(), kind))
        return (404, _NONE) if answer is None else (200, msgspec.json.encode(answer))

    def _let_end(self, count: int, over_s: float) -> None:
        now = time.monotonic()
        for number in random.sample(range(self._tasks), count):
            self._ends[number] = now + random.uniform(0, over_s)

    def _read(self, asked: re.Match[str], body: bytes) -> tuple[str, Any]:
        if asked["search"]:
            return "search", self._search(body) if self._searches else None
        number = int(asked["thread"].rpartition("-")[2], 16)
        match asked["rest"]:
            case "":
                return "thread", self._thread(number)
            case "/state":
                return "state", {"values": {"messages": []}}
            case "/runs":
                return "runs", [self._run(number)]
            case _:
                return "run", self._run(number)

    def _search(self, body: bytes) -> list[Any]:
        ids = msgspec.json.decode(body)["ids"]
        return [self._thread(int(each.rpartition("-")[2], 16)) for each in ids]

    def _words(self, number: int) -> tuple[str, str]:
        """The status words of a run and its thread."""
        ended = self._ends.get(number, float("inf")) <= time.monotonic()
        return _OUTCOMES[number % 2] if ended else ("running", "busy")

    def _thread(self, number: int) -> Any:
        return {"thread_id": thread_id(number), "status": self._words(number)[1]}

    def _run(self, number: int) -> Any:
        status, _ = self._words(number)
        return {"run_id": run_id(number), "thread_id": thread_id(number), "status": status}


async def _serve(port: int, fleet: Fleet) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                target = head.split(b" ", 2)[1].decode()
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1])) if length else b""
                status, answer = fleet.answer(target, body)
                writer.write(
                    b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\n"
                    b"Content-Length: %d\r\n\r\n%b" % (status, len(answer), answer)
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("tasks", type=int)
    parser.add_argument("--no-search", action="store_true")
    given = parser.parse_args()
    asyncio.run(_serve(given.port, Fleet(given.tasks, searches=not given.no_search)))
