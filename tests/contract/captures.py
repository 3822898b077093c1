"""Recorded conversations with langgraph-api 0.16.7, and how to hold them again elsewhere.

See tests/data/README.md for where the recordings come from.
"""

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tests.contract.agent_client import PATIENCE, AgentClient, Answer, parse_sse
from tests.contract.shapes import shape_of
from tests.support.waiting import eventually_got

_FILE = Path(__file__).parents[1] / "data" / "agent_server_captures.jsonl"
CONTRACT_HEADERS = frozenset(
    {
        "allow",
        "cache-control",
        "content-location",
        "content-type",
        "location",
        "vary",
        "x-accel-buffering",
        "x-pagination-next",
        "x-pagination-total",
    }
)
_OUR_IDS = ("thread_id", "run_id", "cron_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    flow: str
    method: str
    path: str
    query: str
    sent: dict[str, str]
    body: str
    status: int
    headers: dict[str, str]
    answer: str

    @property
    def json(self) -> Any:
        try:
            return json.loads(self.answer)
        except ValueError:
            return None

    @property
    def starts_a_run(self) -> bool:
        return self.method == "POST" and self.path.endswith("/runs") and self.status == 200


@cache
def flows() -> dict[str, list[Exchange]]:
    """All recordings by the name of their conversation, in the order they were held."""
    found: dict[str, list[Exchange]] = {}
    for line in _FILE.read_text("utf-8").splitlines():
        exchange = Exchange(**json.loads(line))
        found.setdefault(exchange.flow, []).append(exchange)
    return found


@dataclass(slots=True)
class Replay:
    """Holds one conversation again: ids of the recording become the ids the server gives now."""

    client: AgentClient
    ids: dict[str, str] = field(default_factory=dict)

    async def send(self, exchange: Exchange) -> Answer:
        """The answer of now; a GET is asked again until the server is as far as it was then."""
        if exchange.method != "GET":
            return self._learn(exchange, await self._call(exchange))

        async def ask() -> Answer:
            return await self._call(exchange)

        def as_far(answer: Answer) -> bool:
            return answer.status == exchange.status and _progress(answer.body) == _progress(
                exchange.answer.encode()
            )

        return await eventually_got(ask, as_far, within=PATIENCE)

    async def _call(self, exchange: Exchange) -> Answer:
        query = f"?{exchange.query}" if exchange.query else ""
        return await self.client.call(
            exchange.method,
            self.translated(exchange.path) + query,
            raw=self.translated(exchange.body).encode() or None,
            headers=exchange.sent,
        )

    def translated(self, text: str) -> str:
        for then, now in self.ids.items():
            text = text.replace(then, now)
        return text

    def _learn(self, exchange: Exchange, answer: Answer) -> Answer:
        if answer.status == exchange.status == 200:
            for then, now in zip(_rows(exchange), _rows(answer), strict=True):
                for key in _OUR_IDS:
                    if then.get(key):
                        self.ids[then[key]] = now[key]
        return answer


def _rows(source: Exchange | Answer) -> list[dict[str, Any]]:
    """The records in an answer that carry ids; a stream tells its run in the first event."""
    text = source.answer.encode() if isinstance(source, Exchange) else source.body
    if text.startswith(b"event: "):
        return [event.data for event in parse_sse(text) if event.name == "metadata"]
    value = json.loads(text or b"null")
    rows = value if isinstance(value, list) else [value]
    return [row for row in rows if isinstance(row, dict)]


def _progress(body: bytes) -> Any:
    """How far the server is: the statuses in an answer, or that it has a body at all."""
    try:
        value = json.loads(body or b"null")
    except ValueError:
        return bool(body)
    if isinstance(value, list):
        return [row.get("status") for row in value]
    return value.get("status") if isinstance(value, dict) else value


def structure(status: int, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """All of an answer that must not differ, wherever and whenever it is given."""
    return {
        "status": status,
        "headers": {name: shape_of_header(value) for name, value in sorted(headers.items())},
        "body": _body_structure(body),
    }


def shape_of_header(value: str) -> str:
    return "/".join(shape_of(part) if len(part) == 36 else part for part in value.split("/"))


def _body_structure(body: bytes) -> Any:
    if body.startswith(b"event: "):
        return [(e.name, shape_of(e.data), e.event_id is not None) for e in parse_sse(body)]
    try:
        return shape_of(json.loads(body))
    except ValueError:
        return body
