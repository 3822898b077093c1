"""An agent server, asked directly and through the sidecar: whatever its own description allows.

What changes something is asked of each side with ids of its own: the twin of a request names the
twins of what the first one named. So neither side sees what the other one has done, and ids, times
and addresses are all that an answer may differ in, besides what is documented to be added.
"""

import json
import re
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests
from schemathesis import Case
from schemathesis.core.transport import Response
from schemathesis.hooks import HookContext

from tests.acceptance.rig.masks import difference
from tests.schema.attack import Attack, Found, leaving_out
from tests.support.openapi import Document, operations

NOT_ASKED: Mapping[str, str] = {
    "GET /threads/{thread_id}/stream": "ends with its client: test_event_streams.py",
    "POST /threads/{thread_id}/stream/events": "likewise",
    "GET /metrics": "figures of the moment",
}
"""And why."""

SEES_OTHERS: Mapping[str, str] = {
    **dict.fromkeys(
        (
            *("POST /assistants/search", "POST /assistants/count", "POST /threads/search"),
            *("POST /threads/count", "POST /runs/crons/search", "POST /runs/crons/count"),
            *("POST /store/items/search", "POST /store/namespaces"),
        ),
        "shows what others do meanwhile",
    ),
    "POST /threads/prune": "ends what others do",
    "POST /runs/cancel": "likewise",
    "DELETE /assistants/{assistant_id}": "likewise",
    "POST /runs/crons": "starts what nobody ends",
    "POST /threads/{thread_id}/runs/crons": "likewise",
}
"""Besides, of a server that is not for this alone."""

TAKES_A_SECOND: Mapping[str, str] = dict.fromkeys(
    (
        *("POST /runs", "POST /runs/wait", "POST /runs/stream", "POST /runs/batch"),
        *("POST /threads/{thread_id}/runs/wait", "POST /threads/{thread_id}/runs/stream"),
        "GET /threads/{thread_id}/runs/{run_id}/stream",
        "GET /threads/{thread_id}/runs/{run_id}/join",
        *("POST /mcp/", "POST /a2a/{assistant_id}"),
    ),
    "waits for the server's queue; whole dialogues by these doors are compared elsewhere",
)
"""Besides, where there is little time."""

NOT_COMPARED = frozenset({"date", "x-request-id", "connection", "content-length"})
"""The length is that of a body, which is compared; an answer that echoes metadata echoes ours."""

QUOTED = "\n\nOn instance:"
"""Behind it a server quotes the body of a start that it does not like, with what we put there."""

_SIZES = frozenset({"bytes", "total_bytes"})
"""Of what is stored of a thread, likewise."""

OURS = frozenset({"bad_target", "bad_header", "bad_request"})
"""Refused before it is sent on, as SECURITY.md has it: what could be read in two ways."""

GRAPH = "researcher"
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TWINS = uuid.UUID("6f0a4bd2-1d6c-4f6e-8f3a-9a1f1b6f2a11")
_NEVER = ("webhook", "after_seconds", "schedule")
"""Not said in a request: nothing is to be posted anywhere, or to happen later."""
_WITHIN_S = 60.0


@dataclass
class Twins:
    """Each id's other. Those `known` were not for us to choose."""

    known: dict[str, str] = field(default_factory=dict)

    def of(self, text: str) -> str:
        """The same text with the twins of all ids in it."""
        return _UUID.sub(lambda found: self._of(found.group()), text)

    def _of(self, one: str) -> str:
        return self.known.get(one) or str(uuid.uuid5(_TWINS, one))


@dataclass
class Compared:
    """`differences` of each operation: the first one. `refused` counts what only the sidecar
    refuses, by its code."""

    differences: dict[str, str] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def requests(self) -> int:
        return self.statuses.total()


@dataclass
class Beside:
    """`direct` and `through` are where the same server is found."""

    direct: str
    through: str
    compared: Compared = field(default_factory=Compared)
    _twins: Twins = field(default_factory=Twins)
    _session: requests.Session = field(default_factory=requests.Session)
    _busy: int = 0

    def attack(
        self, *, examples: int, seed: int | None, thorough: bool, leaving: Sequence[str] = ()
    ) -> Found:
        """All operations as a stranger would ask, then with ids that there are. `thorough`: each
        part of each operation is tried by itself, too. What the server does wrong by its own
        description is in what is found; what is `compared` is ours."""
        document = _asked(self._called("GET", "/openapi.json"))
        document = leaving_out(document, [*NOT_ASKED, *leaving])
        self._busy = self._busy_threads()
        real = self._made()
        deletes = [f"{method.upper()} {path}" for path, method, _ in operations(document)]
        deletes = [each for each in deletes if each.startswith("DELETE /threads/{")]
        found = Found()
        for parameters, asked in ((), document), (real, leaving_out(document, deletes)):
            attack = Attack(
                url=self.direct,
                examples=examples,
                seed=seed,
                checks=(),
                parameters=dict(parameters),
                thorough=thorough,
                after=self._compare,
            )
            each = attack.on(asked)
            found.failures.update(each.failures)
            found.statuses.update(each.statuses)
        return found

    def _made(self) -> dict[str, str]:
        """A thread with a run that has ended, an assistant, and their twins."""
        one, run_ids = str(uuid.uuid4()), []
        for each in (one, self._twins.of(one)):
            self._called("POST", "/threads", {"thread_id": each})
            self._called("POST", "/assistants", {"assistant_id": each, "graph_id": GRAPH})
            run = {"assistant_id": GRAPH, "input": {"messages": []}}
            run_ids.append(self._called("POST", f"/threads/{each}/runs", run)["run_id"])
        self._twins.known[run_ids[0]] = run_ids[1]
        self._settle()
        return {"thread_id": one, "run_id": run_ids[0], "assistant_id": one}

    def _called(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._session.request(method, self.direct + path, json=body, timeout=_WITHIN_S)
        answer.raise_for_status()
        return answer.json()

    def _busy_threads(self) -> int:
        return int(self._called("POST", "/threads/count", {"status": "busy"}))

    def _settle(self) -> None:
        """Until nothing runs that did not run before."""
        until = time.monotonic() + _WITHIN_S
        while self._busy_threads() > self._busy:
            assert time.monotonic() < until, "a run does not end"
            time.sleep(0.02)

    def _compare(self, context: HookContext, case: Case, response: Response) -> None:
        del context
        twin = self._send_twin(response.request)
        if response.request.method in ("POST", "PUT"):
            self._settle()
        self.compared.statuses[response.status_code] += 1
        direct = comparable(
            response.status_code, response.message, response.headers, response.content
        )
        fields = {name: twin.raw.headers.getlist(name) for name in twin.headers}
        through = comparable(twin.status_code, twin.reason, fields, twin.content)
        found = difference(direct, through)
        if not found:
            return
        ours = _code_of_ours(twin)
        if ours is not None and response.status_code >= 400:
            self.compared.refused[ours] += 1
            return
        label = f"{case.operation.method.upper()} {case.operation.path}"
        sent = f"{response.request.method} {response.request.url} {response.request.body!r:.600}"
        self.compared.differences.setdefault(f"{label} {response.status_code}", f"{sent}\n{found}")

    def _send_twin(self, request: requests.PreparedRequest) -> requests.Response:
        twin = request.copy()
        assert twin.url is not None
        twin.url = self.through + self._twins.of(twin.url.removeprefix(self.direct))
        body = twin.body
        if isinstance(body, bytes):
            body = body.decode("utf-8", "surrogateescape")
        if isinstance(body, str):  # ids are all of one length
            twin.body = self._twins.of(body).encode("utf-8", "surrogateescape")
        return self._session.send(twin, timeout=_WITHIN_S, allow_redirects=True)


def comparable(status: int, reason: str, fields: Mapping[str, Sequence[str]], body: bytes) -> Any:
    """An answer without what may differ. Ids and times are left to `difference`."""
    told = sorted(
        [name.lower(), *values]
        for name, values in fields.items()
        if name.lower() not in NOT_COMPARED
    )
    kind = "".join(fields.get("content-type", fields.get("Content-Type", ())))
    return [status, reason, told, _content(kind, body.decode("utf-8", "backslashreplace"))]


def _content(kind: str, text: str) -> Any:
    if kind.startswith("text/event-stream"):
        lines = [line.partition(": ") for line in text.splitlines()]
        return [[name, _parsed(value)] for name, _, value in lines if name]  # no heartbeats
    return _without_ours(_parsed(text))


def _without_ours(told: Any) -> Any:
    match told:
        case {"detail": str(detail)} if QUOTED in detail:
            return {**told, "detail": detail.partition(QUOTED)[0]}
        case dict():
            return {
                name: None if name in _SIZES else _without_ours(each) for name, each in told.items()
            }
        case _:
            return told


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _code_of_ours(answer: requests.Response) -> str | None:
    try:
        told = answer.json()
    except ValueError:
        return None
    code = told.get("code") if isinstance(told, dict) else None
    return code if code in OURS else None


def _asked(document: Document) -> Document:
    """Runs are of a graph that there is, and what is never said is not told of."""
    for name, schema in document["components"]["schemas"].items():
        properties = schema.get("properties", {})
        for each in _NEVER:
            properties.pop(each, None)
        if name.startswith("RunCreate"):
            properties["assistant_id"] = {"enum": [GRAPH]}
    return document
