"""Bodies as they come: protobuf, JSON with its traps, gzip with its bombs."""

import gzip
import json
import zlib
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.otlp_request import A, Emitted, request, span_id

from subagent_sidecar.core.otlp import Unreadable
from subagent_sidecar.telemetry.receiving.decoding import from_json, from_protobuf, unpacked

JSON: dict[str, Any] = {
    "resourceSpans": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "s"}}]},
            "scopeSpans": [
                {
                    "scope": {"name": "x"},
                    "spans": [
                        {
                            "traceId": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                            "spanId": "0000000000000001",
                            "parentSpanId": "",
                            "name": "work",
                            "kind": 2,
                            "startTimeUnixNano": "1790000000000000000",
                            "endTimeUnixNano": 1790000000001000000,
                            "attributes": [
                                {"key": "n", "value": {"intValue": "9007199254740993"}},
                                {"key": "b", "value": {"bytesValue": "AAE="}},
                                {"key": "d", "value": {"doubleValue": 0.5}},
                            ],
                            "links": [{"traceId": "a" * 32, "spanId": "0000000000000002"}],
                            "status": {"code": 2, "message": "no"},
                            "whatTheFutureHolds": {"x": [1]},
                        }
                    ],
                }
            ],
        }
    ]
}


def nested(depth: int) -> Any:
    """A value in a list in a list, and so on."""
    return {"arrayValue": {"values": [nested(depth - 1)]}} if depth else {"intValue": 1}


def span_of(made: Any) -> Any:
    return made.resource_spans[0].scope_spans[0].spans[0]


def changed(**values: Any) -> bytes:
    """The request with other values in its span."""
    told = json.loads(json.dumps(JSON))
    told["resourceSpans"][0]["scopeSpans"][0]["spans"][0].update(values)
    return json.dumps(told).encode()


def test_json_is_read_with_hexadecimal_ids_and_numbers_as_text() -> None:
    span = span_of(from_json(json.dumps(JSON).encode()))
    assert (span.trace_id, span.span_id, span.parent_span_id) == (A, span_id(1), b"")
    assert (span.kind, span.status.code, span.status.message) == (2, 2, "no")
    assert span.start_time_unix_nano == 1_790_000_000_000_000_000
    assert span.end_time_unix_nano - span.start_time_unix_nano == 1_000_000
    values = [each.value for each in span.attributes]
    assert values[0].int_value == 9_007_199_254_740_993
    assert (values[1].bytes_value, values[2].double_value) == (b"\0\1", 0.5)
    assert (span.links[0].trace_id, span.links[0].span_id) == (A, span_id(2))


@pytest.mark.parametrize("id", ["q" * 32, "+" * 32, "a" * 31, "AAAA", "é" * 16])
def test_an_id_that_is_not_hexadecimal_is_not_taken_for_base64(id: str) -> None:
    assert len(span_of(from_json(changed(traceId=id))).trace_id) != 16


BAD = {
    "no JSON": b"{",
    "no object": b"[]",
    "text where an object is wanted": b'{"resourceSpans": "x"}',
    "a number too large": changed(startTimeUnixNano=2**70),
    "an endless kind": json.dumps(JSON).encode().replace(b'"kind": 2', b'"kind": 1e999'),
    "a number that is none": changed(startTimeUnixNano="soon"),
    "an id of another type": changed(traceId=7),
    "a lone surrogate": changed(name="\ud800"),
    "a lone surrogate in the name of a field": b'{"resource\\ud800Spans": []}',
    "no UTF-8": b'{"resourceSpans": "\xff"}',
    "nested too deeply": b'{"x":' * 100_000,
    "values nested too deeply": changed(attributes=[{"key": "k", "value": nested(200)}]),
}


@pytest.mark.parametrize("name", BAD)
def test_a_body_that_is_not_json_of_otlp_is_said_to_be_unreadable(name: str) -> None:
    with pytest.raises(Unreadable, match="JSON"):
        from_json(BAD[name])


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["resourceSpans", "scopeSpans", "spans", "links", "traceId"]),
                inner,
                max_size=3,
            )
        ),
        max_leaves=12,
    )
)
def test_whatever_json_says_it_is_read_or_unreadable(told: Any) -> None:
    with suppress(Unreadable):
        from_json(json.dumps({"resourceSpans": told}).encode())


def test_protobuf_is_read_and_anything_else_is_unreadable() -> None:
    made = request(Emitted(id=1))
    assert from_protobuf(made.SerializeToString()) == made
    with pytest.raises(Unreadable, match="protobuf"):
        from_protobuf(b"\xff\xff\xff")


@given(st.binary(max_size=200))
def test_whatever_bytes_come_they_are_read_or_unreadable(body: bytes) -> None:
    for read in (from_protobuf, from_json, lambda body: unpacked(body, 100)):
        with suppress(Unreadable):
            read(body)


def test_gzip_is_unpacked_also_in_several_parts() -> None:
    assert unpacked(gzip.compress(b"one") + gzip.compress(b"two"), 6) == b"onetwo"
    assert unpacked(b"", 6) == b""


def test_a_bomb_is_unpacked_no_further_than_the_limit() -> None:
    """failures.md row 17"""
    bomb = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    packed = b"".join(bomb.compress(bytes(2**20)) for _ in range(100)) + bomb.flush()
    assert len(packed) < 200_000
    with pytest.raises(Unreadable) as told:
        unpacked(packed, 2**20)
    assert told.value.too_large
    with pytest.raises(Unreadable):
        unpacked(gzip.compress(b"seven b"), 6)


@pytest.mark.parametrize(
    "body", [b"plain", gzip.compress(b"x" * 100)[:-4], gzip.compress(b"x") + b"rest"]
)
def test_what_is_not_gzip_to_its_end_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable) as told:
        unpacked(body, 1_000)
    assert not told.value.too_large


def test_a_row_of_tiny_gzip_bodies_is_not_gone_through() -> None:
    """Each costs a copy of what follows."""
    with pytest.raises(Unreadable, match="in a row"):
        unpacked(gzip.compress(b"") * 100_000, 1_000)
