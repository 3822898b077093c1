"""What a request means: a table of method and path, as servers route them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subagent_sidecar.core.wire import (
    DOORS,
    STARTS,
    Act,
    Form,
    Meaning,
    decoded_path,
    ids_in_location,
    recognise,
)
from subagent_sidecar.errors import BadTarget


def meaning(method: str, raw: str) -> Meaning:
    return recognise(method, decoded_path(raw))


TABLE = [
    ("POST", "/threads", Meaning(Act.THREAD_CREATE)),
    ("GET", "/threads", Meaning(Act.OTHER)),
    ("POST", "/threads/search", Meaning(Act.THREAD_SEARCH)),
    ("POST", "/threads/count", Meaning(Act.OTHER, "count")),
    ("GET", "/threads/t", Meaning(Act.THREAD_GET, "t")),
    ("GET", "/threads/t/state", Meaning(Act.THREAD_STATE, "t")),
    ("POST", "/threads/t/state", Meaning(Act.OTHER, "t")),
    ("GET", "/threads/t/state/checkpoint", Meaning(Act.OTHER, "t")),
    ("GET", "/threads/t/history", Meaning(Act.OTHER, "t")),
    ("PATCH", "/threads/t", Meaning(Act.OTHER, "t")),
    ("DELETE", "/threads/t", Meaning(Act.THREAD_DELETE, "t")),
    ("GET", "/threads/t/stream", Meaning(Act.THREAD_STREAM, "t")),
    ("POST", "/threads/t/runs", Meaning(Act.RUN_START, "t")),
    ("POST", "/threads/t/runs/stream", Meaning(Act.RUN_START, "t", form=Form.STREAM)),
    ("POST", "/threads/t/runs/wait", Meaning(Act.RUN_START, "t", form=Form.WAIT)),
    ("POST", "/threads/t/runs/crons", Meaning(Act.CRON_CREATE, "t")),
    ("GET", "/threads/t/runs", Meaning(Act.RUN_LIST, "t")),
    ("GET", "/threads/t/runs/r", Meaning(Act.RUN_GET, "t", "r")),
    ("GET", "/threads/t/runs/r/join", Meaning(Act.RUN_JOIN, "t", "r")),
    ("GET", "/threads/t/runs/r/stream", Meaning(Act.RUN_STREAM, "t", "r")),
    ("POST", "/threads/t/runs/r/cancel", Meaning(Act.RUN_CANCEL, "t", "r")),
    ("DELETE", "/threads/t/runs/r", Meaning(Act.RUN_DELETE, "t", "r")),
    ("POST", "/threads/t/runs/r/unknown", Meaning(Act.OTHER, "t")),
    ("POST", "/runs", Meaning(Act.RUN_START)),
    ("POST", "/runs/stream", Meaning(Act.RUN_START, form=Form.STREAM)),
    ("POST", "/runs/wait", Meaning(Act.RUN_START, form=Form.WAIT)),
    ("POST", "/runs/batch", Meaning(Act.RUNS_BATCH)),
    ("POST", "/runs/cancel", Meaning(Act.RUNS_CANCEL)),
    ("POST", "/runs/crons", Meaning(Act.CRON_CREATE)),
    ("POST", "/runs/crons/search", Meaning(Act.OTHER)),
    ("GET", "/runs", Meaning(Act.OTHER)),
    ("GET", "/runs/crons", Meaning(Act.OTHER)),
    ("DELETE", "/runs/crons/c", Meaning(Act.OTHER)),
    ("POST", "/threads/t/commands", Meaning(Act.COMMAND, "t")),
    ("GET", "/threads/t/commands", Meaning(Act.OTHER, "t")),
    ("GET", "/threads/t/stream/events", Meaning(Act.COMMAND_SOCKET, "t")),
    ("POST", "/threads/t/stream/events", Meaning(Act.OTHER, "t")),  # carries no commands
    ("GET", "/threads/t/runs/r/protocol", Meaning(Act.COMMAND_SOCKET, "t")),
    ("POST", "/a2a/a", Meaning(Act.A2A, form=Form.WAIT, assistant_id="a")),
    ("GET", "/a2a/a", Meaning(Act.OTHER)),
    ("POST", "/a2a", Meaning(Act.OTHER)),
    ("GET", "/a2a/a/.well-known/agent-card.json", Meaning(Act.OTHER)),
    ("POST", "/mcp", Meaning(Act.MCP, form=Form.WAIT)),
    ("GET", "/mcp", Meaning(Act.OTHER)),
    ("POST", "/assistants", Meaning(Act.ASSISTANT_CHANGE)),
    ("PATCH", "/assistants/a", Meaning(Act.ASSISTANT_CHANGE)),
    ("DELETE", "/assistants/a", Meaning(Act.ASSISTANT_CHANGE)),
    ("POST", "/assistants/a/latest", Meaning(Act.ASSISTANT_CHANGE)),
    ("GET", "/assistants/a", Meaning(Act.OTHER)),
    ("POST", "/assistants/search", Meaning(Act.OTHER)),
    ("POST", "/assistants/count", Meaning(Act.OTHER)),
    ("DELETE", "/mcp", Meaning(Act.OTHER)),
    # methods are case sensitive (RFC 9110 9.1), and paths too
    ("post", "/threads/t/runs", Meaning(Act.OTHER, "t")),
    ("POST", "/Threads/t/runs", Meaning(Act.OTHER)),
    ("HEAD", "/threads/t", Meaning(Act.OTHER, "t")),
    ("OPTIONS", "*", Meaning(Act.OTHER)),
    ("GET", "/", Meaning(Act.OTHER)),
    ("GET", "", Meaning(Act.OTHER)),
    ("POST", "/ui/threads", Meaning(Act.OTHER)),
    ("POST", "/threadsx", Meaning(Act.OTHER)),
]


@pytest.mark.parametrize(("method", "path", "expected"), TABLE)
def test_a_request_means(method: str, path: str, expected: Meaning) -> None:
    assert meaning(method, path) == expected


START = Meaning(Act.RUN_START, "t")

# Everything here starts a run on one server or another.
DISGUISED = [
    "/threads/t/%72uns",
    "/%74hreads/t/runs",
    "/threads/t/%72%75%6e%73",
    "/threads/%74/runs",
    "/threads/t/runs/",
    "/threads/t/runs///",
    "//threads/t/runs",
    "/threads//t/runs",
    "/threads/t//runs",
    "/threads%2Ft%2fruns",
    "/threads/t%2Fruns",
    "/threads/t/runs%2f",
]


@pytest.mark.parametrize("path", DISGUISED)
def test_a_start_is_seen_through_its_spelling(path: str) -> None:
    assert meaning("POST", path) == START


# So do these, if their body says so.
DISGUISED_DOORS = [
    ("/threads/t/%63ommands", Meaning(Act.COMMAND, "t")),
    ("/threads//t/commands/", Meaning(Act.COMMAND, "t")),
    ("/a2%61/a", Meaning(Act.A2A, form=Form.WAIT, assistant_id="a")),
    ("/a2a/a/", Meaning(Act.A2A, form=Form.WAIT, assistant_id="a")),
    ("//mcp//", Meaning(Act.MCP, form=Form.WAIT)),
    ("/%6dcp", Meaning(Act.MCP, form=Form.WAIT)),
]


@pytest.mark.parametrize(("path", "expected"), DISGUISED_DOORS)
def test_a_door_is_seen_through_its_spelling(path: str, expected: Meaning) -> None:
    assert meaning("POST", path) == expected


REFUSED = [
    "/threads/../admin",
    "/threads/./t",
    "/..",
    "/.",
    "/threads/..",
    "/threads/t/runs/..",
    "/threads/..%2fadmin",
    "/threads/%2e%2e/admin",
    "/threads/.%2e/admin",
    "/threads/%2E/t",
    "/threads/..\\admin",
    "/threads\\..\\admin",
    "/threads/%5c..%5cadmin",
    "/%2e%2e%2f%2e%2e%2fetc/passwd",
]


@pytest.mark.parametrize("path", REFUSED)
def test_dot_segments_are_refused(path: str) -> None:
    with pytest.raises(BadTarget, match="segments"):
        decoded_path(path)


ALLOWED = [
    ("/.well-known/agent.json", "/.well-known/agent.json"),
    ("/a..b/c.", "/a..b/c."),
    ("/.../x", "/.../x"),
    ("/a\\b", "/a\\b"),
    ("/%252e%252e/x", "/%2e%2e/x"),  # decoded once, as servers do
    ("/a%20b", "/a b"),
    ("/a%zz", "/a%zz"),
    ("/a%", "/a%"),
    ("/caf%C3%A9", "/café"),
]


@pytest.mark.parametrize(("raw", "expected"), ALLOWED)
def test_dots_that_are_part_of_a_name_are_not(raw: str, expected: str) -> None:
    assert decoded_path(raw) == expected


# failures.md 26: what is not UTF-8 arrives as lone surrogates, which no store can hold.
@pytest.mark.parametrize("raw", ["/threads/%ff/runs", "/threads/\udcff/runs", "/threads/%ed%a0%80"])
def test_ids_in_bad_encoding_can_be_stored(raw: str) -> None:
    thread_id = meaning("POST", raw).thread_id
    assert thread_id is not None
    thread_id.encode("utf-8")


@given(st.text(alphabet=st.characters(exclude_categories=[]), max_size=60))
def test_any_path_is_refused_or_has_storable_ids(raw: str) -> None:
    try:
        found = meaning("POST", "/threads/" + raw)
    except BadTarget:
        return
    for text in (found.thread_id, found.run_id):
        assert text is None or text.encode("utf-8")


def test_starts_are_what_makes_a_server_run_something() -> None:
    assert {Act.RUN_START, Act.RUNS_BATCH, Act.CRON_CREATE} == STARTS
    assert {Act.COMMAND, Act.A2A, Act.MCP} == DOORS


LOCATIONS = [
    ("/threads/t/runs/r", ("t", "r")),
    ("/threads/t/runs/r/stream", ("t", "r")),
    ("/threads/t/runs/r/join?x=/runs/other", ("t", "r")),
    ("/api/threads/t/runs/r", ("t", "r")),
    ("http://host:1/threads/t/runs/r", ("t", "r")),
    ("/runs/r", (None, "r")),
    ("/threads/t", ("t", None)),
    ("/threads/", (None, None)),
    ("/threads//runs/r", (None, "r")),
    ("/runs", (None, None)),
    ("", (None, None)),
    ("/nothing/here", (None, None)),
]


@pytest.mark.parametrize(("location", "expected"), LOCATIONS)
def test_the_ids_a_location_names(location: str, expected: tuple[str | None, str | None]) -> None:
    assert ids_in_location(location) == expected
