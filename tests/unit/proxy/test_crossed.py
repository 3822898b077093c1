"""What requests with equal header fields share, and what they must not."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import HttpVersion11
from multidict import CIMultiDict, CIMultiDictProxy

from subagent_sidecar.core import wire
from subagent_sidecar.core.metrics.meters import UpstreamMeter
from subagent_sidecar.errors import BadHeader, BadTarget
from subagent_sidecar.own_fields import OwnFields
from subagent_sidecar.ports import Upstream, as_written
from subagent_sidecar.proxy.calls import Call, Target
from subagent_sidecar.proxy.crossed import Told
from subagent_sidecar.proxy.crossing import Crossing
from subagent_sidecar.proxy.explaining import plain_question
from subagent_sidecar.proxy.headers import Field
from subagent_sidecar.proxy.incoming import NOTHING, Limits
from subagent_sidecar.proxy.request import DataRequest
from subagent_sidecar.upstream.sending import encode

LIMITS = Limits(
    start_timeout_s=1, answer_timeout_s=1, body_timeout_s=1, max_body=99, inspect_limit=99
)
FIELDS = (
    (b"Host", b"sidecar"),
    (b"X-Api-Key", b"theirs"),
    (b"X-Request-Id", b"r1"),
    (b"X-Subagent-Session", b"s1"),
    (b"traceparent", b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"),
    (b"Accept", b"*/*"),
)
KNOWN = dict[Any, Any]
KEY = f"ssk_{'a' * 10}_{'b' * 52}"


def target(name: str = "one", crossing: Crossing | None = None, **more: Any) -> Target:
    values: dict[str, Any] = {
        "client": cast(Upstream, None),
        "meter": UpstreamMeter(),
        "base": b"",
        "host": name.encode(),
        "origin": b"http://" + name.encode(),
        "inject": True,
    }
    return Target(name=name, crossing=crossing or Crossing(), **{**values, **more})


def request(
    fields: tuple[Field, ...] = FIELDS,
    *,
    known: dict[Any, Any] | None = None,
    peer: bytes = b"10.0.0.1",
) -> DataRequest:
    """As much of a request as its fields are. Of those that are `known` from other requests, that
    is what is known."""
    named = CIMultiDict((name.decode(), value.decode()) for name, value in fields)
    return cast(
        DataRequest,
        SimpleNamespace(
            method="GET",
            version=HttpVersion11,
            headers=CIMultiDictProxy(named),
            raw_headers=fields,
            peer_host=peer,
            known={} if known is None else known,
        ),
    )


def call(asked: DataRequest, to: Target, *, path: str = "/threads/t/runs/r") -> Call:
    return Call(
        request=asked,
        raw_target=path,
        prefix=None,
        meaning=wire.recognise("GET", path),
        target=to,
        limits=LIMITS,
        incoming=NOTHING,
    )


def sent(made: Call, **more: Any) -> dict[bytes, bytes]:
    """What goes up, which is what is written."""
    outgoing = made.outgoing(**more)
    assert outgoing.written == as_written(outgoing.headers)
    return {name.lower(): value for name, value in outgoing.headers}


def test_equal_requests_share_what_was_worked_out() -> None:
    to, known = target(), KNOWN()
    first, second = (call(request(known=known), to) for _ in range(2))
    assert first.outgoing().headers is second.outgoing().headers
    assert first.auth is second.auth == ((b"X-Api-Key", b"theirs"),)
    assert second.told == Told("s1", "r1", f"00-{'a' * 32}-{'b' * 16}-01", keyed=False)
    assert first.sharing is second.sharing


def test_requests_of_their_own_share_nothing() -> None:
    to = target()
    other = ((b"Host", b"sidecar"), (b"X-Api-Key", b"others"))
    assert call(request(), to).auth == ((b"X-Api-Key", b"theirs"),)
    mine = call(request(other), to)
    assert mine.auth == ((b"X-Api-Key", b"others"),)
    assert mine.told == Told(None, None, None, keyed=False)


def test_own_fields_that_are_renewed_go_with_the_next_request() -> None:
    own = OwnFields([("X-Api-Key", "old")])
    to, known = target(crossing=Crossing(own)), KNOWN()
    before = call(request(known=known), to)
    elsewhere = call(request(known=known, peer=b"10.0.0.2"), to)
    assert sent(before)[b"x-api-key"] == sent(elsewhere)[b"x-api-key"] == b"old"
    own.fields = ((b"X-Api-Key", b"new"),)
    assert sent(call(request(known=known), to))[b"x-api-key"] == b"new"
    assert sent(before)[b"x-api-key"] == b"old"  # what is under way stays as it was
    assert b"old" not in b"".join(kept.written for kept in known[to].values())


def test_each_client_is_named_to_the_upstream_by_its_own_address() -> None:
    to, known = target(), KNOWN()
    for _ in range(2):
        for number in range(20):
            peer = b"10.0.0.%d" % number
            assert sent(call(request(known=known, peer=peer), to))[b"x-forwarded-for"] == peer
    assert len(known[to]) < 20


def test_clients_that_take_turns_are_each_remembered() -> None:
    to, known = target(), KNOWN()
    one, other = (call(request(known=known, peer=peer), to) for peer in (b"10.0.0.1", b"10.0.0.2"))
    again = call(request(known=known), to)
    assert again.outgoing().headers is one.outgoing().headers
    assert again.outgoing().headers is not other.outgoing().headers


def test_each_upstream_gets_what_is_meant_for_it() -> None:
    known = KNOWN()
    one = target("one", Crossing(OwnFields([("X-Api-Key", "for-one")]), withheld=True))
    two = target("two", front=b"https")
    for _ in range(2):
        first, second = (call(request(known=known), to) for to in (one, two))
        assert sent(first)[b"host"] == b"one" and sent(second)[b"host"] == b"two"
        assert sent(first)[b"x-api-key"] == b"for-one"
        assert sent(second)[b"x-api-key"] == b"theirs"
        assert sent(first)[b"x-forwarded-proto"] == b"http"
        assert sent(second)[b"x-forwarded-proto"] == b"https"
        assert first.auth == () and second.auth == ((b"X-Api-Key", b"theirs"),)


def test_what_goes_with_one_request_does_not_go_with_the_next() -> None:
    to, known = target(), KNOWN()
    plain = call(request(known=known), to).outgoing()
    extra = [(b"x-request-id", b"ours"), (b"x-more", b"m")]
    with_extra = sent(call(request(known=known), to), extra=extra)
    assert (with_extra[b"x-request-id"], with_extra[b"x-more"]) == (b"ours", b"m")
    again = call(request(known=known), to).outgoing()
    assert again == plain
    assert sent(call(request(known=known), to))[b"x-request-id"] == b"r1"


def test_nobody_can_change_what_is_shared() -> None:
    made = call(request(), target())
    for shared in (made.outgoing().headers, made.auth, made.sharing):
        assert isinstance(shared, tuple)


def test_what_is_refused_is_refused_each_time() -> None:
    twice = ((b"Host", b"h"), (b"X-Api-Key", b"a"), (b"x-api-key", b"b"))
    known = KNOWN()
    to = target(crossing=Crossing(keyed=True))
    for _ in range(2):
        with pytest.raises(BadHeader, match="twice"):
            call(request(twice, known=known), target())
        call(request(known=known), to)
        with pytest.raises(BadTarget):
            call(request(known=known), to, path=f"/x?{KEY}")


def test_a_question_put_in_other_fields_is_written_with_those() -> None:
    fields = (*FIELDS, (b"Accept-Encoding", b"gzip"))
    head = encode(plain_question(call(request(fields), target()).outgoing()))
    assert b"\r\nAccept-Encoding: identity\r\n" in head and b"gzip" not in head
