"""Requests no SDK makes, against the real server: status, reason, headers and body are the same
through the sidecar."""

import gzip
import http.client
import json
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from tests.acceptance.rig.masks import difference
from tests.acceptance.rig.servers import Sidecar
from tests.acceptance.rig.services import Service

NOT_COMPARED = {"date", "x-request-id", "connection"}


@dataclass(frozen=True, slots=True)
class Raw:
    """`target` goes on the wire as it stands. An answer that `echoes` the request's metadata also
    echoes what the sidecar has put there, and is longer by it."""

    method: str
    target: str
    status: int
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    echoes: bool = False


JSON = {"content-type": "application/json"}
PREFLIGHT = {"origin": "http://elsewhere.example", "access-control-request-method": "POST"}
ASK_RESEARCHER = (
    b'{"jsonrpc": "2.0", "id": "1", "method": "message/send", "params": {"message": {"role": '
    b'"user", "parts": [{"kind": "text", "text": "words=2"}], "messageId": "m1"}}}'
)
RESEARCHER_ID = "c926ac5a-b04e-5949-878a-8e4830d4338b"

REQUESTS = {
    "health": Raw("GET", "/ok", 200),
    "head of health": Raw("HEAD", "/ok", 200),
    "info for another origin": Raw("GET", "/info", 200, headers={"origin": "http://x.example"}),
    "a page": Raw("GET", "/docs", 200),
    "the description": Raw("GET", "/openapi.json", 200),
    "a CORS preflight": Raw("OPTIONS", "/threads", 200, headers=PREFLIGHT),
    "options of a resource": Raw("OPTIONS", "/threads", 405),
    "a wrong method": Raw("PUT", "/threads", 405, body=b"{}"),
    "an odd method": Raw("PROPFIND", "/ok", 404),
    "an unknown path": Raw("GET", "/custom/route?x=1&x=2", 404),
    "a doubled slash": Raw("GET", "/threads//", 307),
    "a redirect": Raw("POST", "/mcp/", 307, body=b"{}", headers=JSON),
    "no body": Raw("POST", "/threads", 422),
    "no JSON": Raw("POST", "/threads", 422, body=b"{", headers=JSON),
    "JSON, but no object": Raw("POST", "/threads", 422, body=b"[1]", headers=JSON),
    "compressed": Raw(
        "POST",
        "/threads",
        422,
        body=gzip.compress(b"{}", mtime=0),
        headers={**JSON, "content-encoding": "gzip"},
    ),
    "a thread id that is no UUID": Raw("GET", "/threads/42", 422),
    "fields of a later release": Raw(
        *("POST", "/threads?later=1", 200),
        body=b'{"later": {"a": [null]}}',
        headers=JSON,
        echoes=True,
    ),
    "five megabytes": Raw(
        *("POST", "/threads", 200),
        body=b'{"metadata": {"a": "%s"}}' % (b"x" * 5_000_000),
        echoes=True,
    ),
    "agent to agent": Raw(
        *("POST", f"/a2a/{RESEARCHER_ID}", 200),
        body=ASK_RESEARCHER,
        headers={**JSON, "accept": "application/json"},
    ),
}


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes

    def comparable(self, *, echoes: bool) -> object:
        ignored = NOT_COMPARED | ({"content-length"} if echoes else set())
        headers = sorted(
            (name.lower(), value) for name, value in self.headers if name.lower() not in ignored
        )
        body = json.loads(self.body) if echoes else self.body.decode("utf-8")
        return [self.status, self.reason, headers, body]


def _sent(base: str, raw: Raw) -> Answer:
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=30)
    try:
        connection.request(raw.method, raw.target, body=raw.body, headers=raw.headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.reason, answer.getheaders(), answer.read())
    finally:
        connection.close()


@pytest.mark.parametrize("request_name", REQUESTS)
def test_the_answer_is_the_same_through_the_sidecar(
    request_name: str, langgraph: Service, sidecar_to_langgraph: Sidecar
) -> None:
    raw = REQUESTS[request_name]
    direct = _sent(langgraph.url, raw)
    assert direct.status == raw.status
    through = _sent(sidecar_to_langgraph.url, raw)
    assert not difference(
        direct.comparable(echoes=raw.echoes), through.comparable(echoes=raw.echoes)
    )


def test_a_way_up_in_disguise_is_refused_by_the_sidecar_itself(
    sidecar_to_langgraph: Sidecar,
) -> None:
    answer = _sent(sidecar_to_langgraph.url, Raw("GET", "/threads/..%2fok", 400))
    assert (answer.status, json.loads(answer.body)["error"]) == (400, "bad_target")


def test_a_redirect_leads_back_to_where_the_client_asked(sidecar_to_langgraph: Sidecar) -> None:
    answer = _sent(sidecar_to_langgraph.url, REQUESTS["a redirect"])
    assert dict(answer.headers)["location"] == f"{sidecar_to_langgraph.url}/mcp"
