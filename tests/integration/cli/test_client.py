"""The client against servers of every kind."""

import http.client
import json

import pytest

from subagentctl.client import Client, segment
from subagentctl.errors import CliError, Unreachable
from subagentctl.server import parse_server
from subagentctl.testing import FakeAdmin, Reply, Request, make_task

from .conftest import Raw


def ask(url: str, *, timeout: float = 10.0, token: str | None = None) -> dict[str, object]:
    with Client(parse_server(url), token, timeout=timeout) as client:
        return client.get("/v1/tasks")


def answered(body: bytes, *, head: bytes = b"", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s" % (size, head, body)


HTML = b"<!doctype html><h1>It works!</h1>"


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (b"", "the connection was closed without an answer"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "the answer is not HTTP"),
        (b"HTTP/1.1 2x0 OK\r\n\r\n", "the answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n", "the answer is not HTTP"),
        (answered(HTML, head=b"Content-Type: text/html\r\n"), "(HTTP 200, text/html)"),
        (answered(b"[]"), "not a sidecar's admin plane"),
        (answered(b"{" * 100_000), "not a sidecar's admin plane"),
        (answered(b"\xff\xfe\xfd"), "not a sidecar's admin plane"),
        (answered(b'{"tasks": 1' + b"9" * 5000 + b"}"), "not a sidecar's admin plane"),
        (answered(b'{"tasks"', length=100), "broke in the middle of the answer"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}",
            "broke in the middle of the answer",
        ),
    ],
)
def test_what_is_not_a_sidecar_is_recognised(raw: Raw, reply: bytes, said: str) -> None:
    url = raw(reply)
    with pytest.raises(Unreachable) as caught:
        ask(url)
    assert said in caught.value.message
    assert url in caught.value.message


@pytest.mark.parametrize(
    "reply",
    [b"", b"HTTP/1.1 200 OK\r\n", answered(b'{"tasks"', length=100)],
    ids=["silent", "in the head", "in the body"],
)
def test_a_server_that_stops_talking_is_given_up(raw: Raw, reply: bytes) -> None:
    with pytest.raises(Unreachable, match=r"no answer within 0\.1 s"):
        ask(raw(reply, hold=True), timeout=0.1)


def test_nobody_listening_is_said_with_the_address(free_port: int) -> None:
    with pytest.raises(Unreachable) as caught:
        ask(f"http://127.0.0.1:{free_port}")
    assert caught.value.message.startswith(
        f"no sidecar answers at http://127.0.0.1:{free_port} (connection refused). Start one"
    )


def test_tls_to_a_server_without_it_is_said_to_be_that(admin: FakeAdmin) -> None:
    with pytest.raises(Unreachable, match="TLS failed"):
        ask(admin.url.replace("http:", "https:"))


def test_a_kept_connection_that_died_is_replaced(raw: Raw) -> None:
    url = raw(answered(b'{"n": 1}'))
    with Client(parse_server(url), None) as client:
        assert [client.get("/v1/tasks") for _ in range(3)] == [{"n": 1}] * 3


def test_one_connection_serves_many_requests(admin: FakeAdmin) -> None:
    ports = set()

    def note(request: Request) -> Reply | None:
        ports.add(request.port)
        return None

    admin.script = note
    with Client(parse_server(admin.url), None) as client:
        for _ in range(3):
            client.get("/v1/tasks")
    assert len(ports) == 1


def test_an_error_leaves_the_client_usable(admin: FakeAdmin) -> None:
    replies = iter([Reply(status=503, body=b"busy"), None])
    admin.script = lambda request: next(replies)
    with Client(parse_server(admin.url), None) as client:
        with pytest.raises(CliError):
            client.get("/v1/tasks")
        assert client.get("/v1/tasks")["tasks"] == []


def test_the_token_goes_out_as_bearer_and_only_when_there_is_one(admin: FakeAdmin) -> None:
    ask(admin.url, token="s3cret")
    ask(admin.url)
    sent = [request.headers.get("Authorization") for request in admin.requests]
    assert sent == ["Bearer s3cret", None]


def test_a_base_path_stands_in_front_of_every_request(admin: FakeAdmin) -> None:
    with pytest.raises(CliError):
        ask(f"{admin.url}/ops/sidecar/")
    assert admin.requests[0].path == "/ops/sidecar/v1/tasks"


def test_numbers_that_json_cannot_say_again_become_null(admin: FakeAdmin) -> None:  # row 26
    body = b'{"tasks": [{"a": NaN, "b": -Infinity, "c": 1e999, "d": 1180591620717411303424}]}'
    admin.script = lambda request: Reply(body=body)
    [task] = json.loads(json.dumps(ask(admin.url), allow_nan=False))["tasks"]
    assert task == {"a": None, "b": None, "c": None, "d": 2**70}


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("a/b", "a%2Fb"),
        ("..", ".."),
        ("a?b#c", "a%3Fb%23c"),
        ("é ", "%C3%A9%20"),
        ("\udcff", "%FF"),
    ],
)
def test_an_id_stays_one_path_segment(text: str, quoted: str) -> None:
    assert segment(text) == quoted


def test_the_answer_is_read_to_its_end_when_it_comes_in_chunks(raw: Raw) -> None:
    body = json.dumps({"tasks": [make_task()] * 300}).encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:]))
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = ask(raw(head + chunks + b"0\r\n\r\n"))
    assert answer == json.loads(body)


def test_every_error_of_http_client_is_taken_care_of() -> None:
    """They are mapped through their base class: this holds as long as they have one."""
    raised = [getattr(http.client, name) for name in http.client.__all__ if name.isidentifier()]
    errors = [each for each in raised if isinstance(each, type) and issubclass(each, Exception)]
    assert len(errors) > 5
    assert all(issubclass(each, http.client.HTTPException) for each in errors)
