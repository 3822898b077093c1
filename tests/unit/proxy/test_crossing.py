"""Which fields cross to an upstream, and back."""

import tracemalloc
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subagent_sidecar.core.credential_names import is_secret, tells_who
from subagent_sidecar.core.fates import MOST_KEPT
from subagent_sidecar.core.matching import Glob
from subagent_sidecar.errors import BadHeader, BadTarget
from subagent_sidecar.own_fields import OwnFields
from subagent_sidecar.ports import Repeated, as_written
from subagent_sidecar.proxy.crossing import Crossing
from subagent_sidecar.proxy.headers import Field

KEY = f"ssk_{'a' * 10}_{'b' * 52}"
CREDENTIALS = [
    *("authorization", "x-api-key", "x-subagent-key", "cookie", "proxy-authorization"),
    *("x-auth-scheme", "x-service-key", "x-tenant-id", "x-user-id", "x-auth-token", "api-key"),
    *("x-access-token", "x-forwarded-user", "x-forwarded-access-token", "x-goog-api-key"),
]
OTHERS = [
    *("accept", "content-type", "user-agent", "last-event-id", "idempotency-key", "x-request-id"),
    *("sec-websocket-key", "sec-websocket-protocol", "traceparent", "x-custom", "x-authored-by"),
    *("origin", "x-max-tokens", "langsmith-trace", "baggage"),
]
ADDED = {b"host", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"}


def crossed(crossing: Crossing, *fields: Field) -> list[Field]:
    """Those that are not of the proxy itself."""
    sent = crossing.out([(b"Host", b"a"), *fields], host=b"up", peer=b"127.0.0.1", scheme=b"http")
    return [(name, value) for name, value in sent if name.lower() not in ADDED]


@pytest.mark.parametrize("name", CREDENTIALS)
def test_what_tells_who_asks_is_known_by_its_name(name: str) -> None:
    assert tells_who(name) and tells_who(name.upper()) and tells_who(name.replace("-", "_"))


@pytest.mark.parametrize("name", OTHERS)
def test_what_does_not_is_no_credential(name: str) -> None:
    assert not tells_who(name) and not is_secret(name)


def spelled(name: str) -> "st.SearchStrategy[bytes]":
    """In any mixture of cases."""
    return st.lists(st.booleans(), min_size=len(name), max_size=len(name)).map(
        lambda big: "".join(
            c.upper() if up else c for c, up in zip(name, big, strict=True)
        ).encode()
    )


NAMES = st.sampled_from([*CREDENTIALS, *OTHERS]).flatmap(spelled)
VALUES = st.binary(max_size=20).filter(lambda value: not set(value) & set(b"\0\r\n"))
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=12)


# failures.md 24
@given(FIELDS)
def test_with_auth_on_nothing_that_tells_who_a_client_is_crosses(fields: list[Field]) -> None:
    own = OwnFields([("X-Api-Key", "ours"), ("x-custom", "ours, too")])
    sent = crossed(Crossing(own, withheld=True, keyed=True), *fields)
    expected = [
        (name, value)
        for name, value in fields
        if (low := name.decode().lower()) not in CREDENTIALS and low != "x-custom"
    ]
    assert Counter(sent) == Counter([*expected, *own.fields])


@given(FIELDS, st.sampled_from(sorted({*CREDENTIALS, *OTHERS})), st.booleans(), st.booleans())
def test_a_supervisors_key_crosses_in_no_field_whatever_is_passed_on(
    fields: list[Field], name: str, withheld: bool, listed: bool
) -> None:
    crossing = Crossing(withheld=withheld, keyed=True, allowed=[Glob("*")] if listed else None)
    planted = (name.encode(), b"Bearer " + KEY.encode())
    try:
        sent = crossed(crossing, *fields, planted)
    except BadHeader:
        return  # a credential that stands twice
    assert not any(b"ssk_" in value for _, value in sent)
    assert planted not in crossing.credentials([planted])


def test_with_auth_off_everything_of_a_clients_crosses_as_it_is() -> None:
    fields = [(name.encode(), b"v") for name in (*CREDENTIALS, *OTHERS)]
    ours = {"x-subagent-key", "proxy-authorization"}
    sent = crossed(Crossing(), *fields)
    assert sent == [(name, value) for name, value in fields if name.decode() not in ours]


def test_credentials_that_are_withheld_are_not_asked_with_either() -> None:
    fields = [(b"Authorization", b"theirs"), (b"X-Api-Key", b"theirs")]
    own = OwnFields([("x-api-key", "ours")])
    assert Crossing(own, withheld=True, keyed=True).credentials(fields) == []
    assert Crossing(own, keyed=True).credentials(fields) == fields[:1]
    assert Crossing(own, allowed=[]).credentials(fields) == []


SENT_BY_SDKS = [
    (b"accept", b"text/event-stream"),
    (b"accept-encoding", b"gzip"),
    (b"content-type", b"application/json"),
    (b"user-agent", b"langgraph-sdk-py/1"),
    (b"cache-control", b"no-store"),
    (b"Last-Event-ID", b"4-0"),
    (b"traceparent", b"00-0-0-00"),
    (b"x-request-id", b"r"),
    (b"Sec-WebSocket-Version", b"13"),
    (b"Mcp-Protocol-Version", b"2025-06-18"),
    (b"Mcp-Method", b"tools/call"),
    (b"A2A-Extensions", b"e"),
    (b"Sec-Fetch-Site", b"cross-site"),
]


def test_an_empty_allow_list_lets_through_what_requests_need_to_mean_what_they_say() -> None:
    crossing = Crossing(allowed=[])
    assert crossed(crossing, *SENT_BY_SDKS, (b"X-Api-Key", b"k"), (b"baggage", b"b")) == (
        SENT_BY_SDKS
    )


def test_an_allow_list_names_fields_in_any_case_and_by_globs() -> None:
    crossing = Crossing(allowed=[Glob("x-team-*"), Glob("x-api-key")])
    fields = [(b"X-Team-A", b"1"), (b"X-API-KEY", b"2"), (b"X-Teal", b"3"), (b"Cookie", b"4")]
    assert crossed(crossing, *fields) == fields[:2]


def test_an_allow_list_brings_back_nothing_that_is_withheld() -> None:
    crossing = Crossing(withheld=True, keyed=True, allowed=[Glob("*")])
    assert crossed(crossing, (b"Cookie", b"c"), (b"x-subagent-key", b"k"), (b"x", b"v")) == [
        (b"x", b"v")
    ]


def test_own_fields_are_those_of_the_moment() -> None:
    own = OwnFields([("x-api-key", "old")])
    crossing = Crossing(own)
    own.fields = ((b"x-api-key", b"new"),)
    assert crossed(crossing) == [(b"x-api-key", b"new")]


ANSWERED = [
    (b"Set-Cookie", b"session=ours"),
    (b"WWW-Authenticate", b"Basic"),
    (b"Authentication-Info", b"n"),
    (b"Content-Type", b"text/plain"),
]


@pytest.mark.parametrize("withheld", [True, False])
def test_what_a_server_says_of_credentials_goes_to_whose_they_are(withheld: bool) -> None:
    fields, _ = Crossing(withheld=withheld).back(ANSWERED)
    assert fields == (ANSWERED[3:] if withheld else ANSWERED)


def test_what_comes_back_again_and_again_is_worked_out_for_each_upstream() -> None:
    fields = Repeated([*ANSWERED, (b"Content-Length", b"4")])
    ours, theirs = Crossing(withheld=True), Crossing()
    for _ in range(2):
        assert ours.back(fields) == (ANSWERED[3:], b"4")
        assert theirs.back(fields) == (ANSWERED, b"4")
    assert ours.back(fields)[0] is ours.back(fields)[0]
    assert as_written(ours.back(fields)[0]) == b"Content-Type: text/plain\r\n"
    assert as_written(ours.back(fields)[0]) is as_written(ours.back(fields)[0])


def test_where_something_is_depends_on_who_asks_each_time() -> None:
    fields = Repeated([(b"Location", b"/a"), (b"X", b"1")])
    crossing = Crossing()
    for prefix in (b"/one", b"/two"):
        back, _ = crossing.back(fields, prefix.__add__)
        assert back == [(b"Location", prefix + b"/a"), (b"X", b"1")]


@pytest.mark.parametrize(
    "target",
    [f"/x?x-api-key={KEY}", f"/{KEY}/x", f"/x?k={KEY.replace('_', '%5f')}", "/x?k=" + KEY[:40]],
)
def test_a_key_in_a_url_goes_nowhere(target: str) -> None:
    with pytest.raises(BadTarget, match="have it revoked") as error:
        Crossing(keyed=True).check(target)
    assert "ssk_" not in str(error.value)
    Crossing().check(target)  # with auth off it is none of ours


def test_a_url_that_only_looks_like_it_passes() -> None:
    Crossing(keyed=True).check("/threads/ssk_notes/ask_me?prefix=ssk_&b=%5f")


LONG = [(b"x-" + b"a" * 10_000 + b"-%d" % number, b"1") for number in range(50)]
MANY = [(b"x-%d" % number, b"1") for number in range(3 * MOST_KEPT)]


@pytest.mark.parametrize(("fields", "most"), [(LONG, 1), (MANY, MOST_KEPT)])
def test_names_that_clients_make_up_do_not_fill_the_memory(fields: list[Field], most: int) -> None:
    crossing = Crossing(withheld=True)
    secret = (fields[0][0] + b"-key", b"1")
    for _ in range(2):
        assert crossed(crossing, *fields, secret) == fields
    assert len(crossing.up.up) <= most


def test_nor_do_long_values_that_they_make_up() -> None:
    crossing = Crossing()
    tracemalloc.start()
    try:
        for number in range(30):
            words = b",".join(b"%d-%d" % (number, word) for word in range(5_000))
            crossed(crossing, (b"Connection", words))
            crossing.back([(b"Connection", words)])
            crossing.out([(b"Host", words[:9_000])], host=None, peer=b"p", scheme=b"http")
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000


def test_what_a_connection_field_names_stays_and_whatever_else_was_sent_before() -> None:
    crossing = Crossing()
    fields = [(b"Connection", b"X-A, close ,"), (b"x-a", b"1"), (b"X-B", b"2"), (b"Close", b"3")]
    assert crossed(crossing, *fields) == [(b"X-B", b"2")]
    assert crossed(crossing, *fields[1:]) == fields[1:]
    assert crossed(crossing, *fields, (b"connection", b"x-b")) == []
    named = [(b"CONNECTION", b"authorization"), *[(b"Authorization", b"a")] * 2]
    assert crossed(crossing, *named) == []
    with pytest.raises(BadHeader, match="twice"):
        crossed(crossing, *named[1:])
    assert crossing.back(fields) == ([(b"X-B", b"2")], None)
    assert crossing.back(fields[1:]) == (fields[1:], None)
    many = [(b"Connection", b"x-%d" % number) for number in range(5_000)]
    assert crossing.back([*many, (b"X-4999", b""), (b"x", b"")]) == ([(b"x", b"")], None)
