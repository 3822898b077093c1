"""Server-sent events, as the HTML standard reads them."""

import http.client
import io

import pytest

from subagentctl.sse import Message, messages


def read(text: bytes) -> list[tuple[str, str, str]]:
    return [(each.id, each.event, each.data) for each in messages(io.BytesIO(text).readline)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"id: 1\nevent: started\ndata: {}\n\n", [("1", "started", "{}")]),
        (b"id: 1\r\nevent: started\r\ndata: {}\r\n\r\n", [("1", "started", "{}")]),
        (b"data:{}\n\n", [("", "", "{}")]),
        (b"data:  two spaces\n\n", [("", "", " two spaces")]),
        (b"data: a\ndata: b\n\n", [("", "", "a\nb")]),
        (b": heartbeat\n\ndata: x\n\n", [("", "", "x")]),
        (b"id: 1\n\n", []),
        (b"id: 1\ndata: x\n\ndata: y\n\n", [("1", "", "x"), ("", "", "y")]),
        (b"data: cut o", []),
        (b"data: cut off\n", []),
        (b"data\n\n", [("", "", "")]),
        (b"retry: 5\ndata: \xff\n\n", [("", "", "\ufffd")]),
        (b"", []),
    ],
)
def test_events_are_read_line_by_line(text: bytes, told: list[tuple[str, str, str]]) -> None:
    assert read(text) == told


def test_an_event_is_given_out_before_the_next_one_comes() -> None:
    lines = iter([b"data: x\n", b"\n"])
    stream = messages(lambda limit: next(lines))
    assert next(stream) == Message("", "", "x")


def test_a_line_without_end_is_no_event() -> None:
    with pytest.raises(http.client.HTTPException):
        next(messages(lambda limit: b"x" * limit))
