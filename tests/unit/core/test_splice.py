"""Metadata put into a body, and members replaced in it: that, and not one byte more."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subagent_sidecar.core.splice import with_changed, with_first, with_members, with_metadata

EXTRA = {"sidecar_session_id": "s", "sidecar_depth": "1"}
TEXT = b'"sidecar_session_id":"s","sidecar_depth":"1"'

# Every JSON a client can send, lone surrogates and enormous numbers among it.
any_text = st.text(alphabet=st.characters(exclude_categories=[]), max_size=8)
scalars = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=True) | any_text
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
)
objects = st.dictionaries(any_text, values, max_size=4)
metadata = st.dictionaries(any_text, scalars, max_size=3)
spaces = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n\t", "\r\n: ")])


def written(value: Any, separators: tuple[str, str], ascii_only: bool) -> bytes:
    text = json.dumps(value, separators=separators, ensure_ascii=ascii_only)
    return text.encode("utf-8", "surrogatepass" if ascii_only else "replace")


def without(addition: bytes, out: bytes) -> bytes:
    """`out` less `addition`, which it must hold once."""
    assert out.count(addition) == 1
    return out.replace(addition, b"")


@given(objects, spaces, st.booleans())
def test_a_body_without_metadata_gains_it_and_keeps_every_byte(
    body: dict[str, Any], separators: tuple[str, str], ascii_only: bool
) -> None:
    body.pop("metadata", None)
    raw = written(body, separators, ascii_only)
    out = with_metadata(raw, EXTRA)
    assert without(b'"metadata":{' + TEXT + b"}" + (b"," if body else b""), out) == raw
    parsed = json.loads(out)
    assert parsed.pop("metadata") == EXTRA
    assert repr(parsed) == repr(json.loads(raw))


@given(objects, metadata, spaces, st.booleans())
def test_metadata_that_is_there_gains_members_and_keeps_every_byte(
    body: dict[str, Any], theirs: dict[str, Any], separators: tuple[str, str], ascii_only: bool
) -> None:
    theirs = {key: value for key, value in theirs.items() if key not in EXTRA}
    raw = written({**body, "metadata": {"own": 1, **theirs}}, separators, ascii_only)
    out = with_metadata(raw, EXTRA)
    assert without(b"," + TEXT, out) == raw
    parsed, before = json.loads(out), json.loads(raw)
    expected = {**before, "metadata": {**before["metadata"], **EXTRA}}
    assert repr(parsed) == repr(expected)


@given(st.binary(max_size=60) | st.text(alphabet='{}[]":,\\ un1.e+-\ufeffmetadata').map(str.encode))
def test_whatever_is_not_a_json_object_passes_as_it_is(raw: bytes) -> None:
    try:
        is_object = isinstance(json.loads(raw.decode("utf-8")), dict)
    except ValueError:
        is_object = False
    if not is_object:
        assert with_metadata(raw, EXTRA) == raw


UNTOUCHED = [
    b"", b" ", b"null", b"[]", b'[{"metadata":{}}]', b'"metadata"', b"1", b"{", b"}", b'{"a":1',
    b'{"metadata":null,"a":1}', b'{"metadata":{"x":1},"metadata":null}',
    b'{"a":}', b'{"a" 1}', b'{"a":1 "b":2}', b'{"a":1,}', b'{,"a":1}', b"{a:1}", b"{'a':1}",
    b'{"a":1} x', b'{"a":1}{"b":2}', b'{"metadata":{"a":1}}]', b'{"metadata":{"a":1,}}',
    b'{"a":"\xff"}', b'{"a":"\xed\xa0\x80"}', b'{"a":"line\nbreak"}', b'{"a":01}',
    '{"a":1}'.encode("utf-16"), b"\x1f\x8b\x08\x00",
    b'{"metadata":[]}', b'{"metadata":"x"}', b'{"metadata":0}', b'{"metadata":false}',
    b'{"metadata":[{"a":1}]}',
    b'{"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    b'{"a":' + b"9" * 5_000 + b"}",
]  # fmt: skip


@pytest.mark.parametrize("raw", UNTOUCHED, ids=range(len(UNTOUCHED)))
def test_what_cannot_be_added_to_passes_as_it_is(raw: bytes) -> None:
    assert with_metadata(raw, EXTRA) == raw


SPLICED = [
    (b"{}", b'{"metadata":{%b}}'),
    (b" { } ", b' {"metadata":{%b} } '),
    (b'{"a":1}', b'{"metadata":{%b},"a":1}'),
    (b'{"metadata": { } }', b'{"metadata": {%b} }'),
    (b'{"metadata":{"x":1 } }', b'{"metadata":{"x":1 ,%b} }'),
    (b'\xef\xbb\xbf{"a":1}', b'\xef\xbb\xbf{"metadata":{%b},"a":1}'),
    # the name may be written with escapes, and the last of several counts
    (b'{"m\\u0065tadata":{"x":1}}', b'{"m\\u0065tadata":{"x":1,%b}}'),
    (b'{"metadata":{"x":1},"metadata":{"y":2}}', b'{"metadata":{"x":1},"metadata":{"y":2,%b}}'),
    # only the top one is meant
    (b'{"config":{"metadata":{}}}', b'{"metadata":{%b},"config":{"metadata":{}}}'),
    # what a parser would change stays as it was spelled
    (b'{"a":1e400,"b":1.0,"c":"\\ud800\\u0041","d":NaN,"a":"\xc3\xa9"}',
     b'{"metadata":{%b},"a":1e400,"b":1.0,"c":"\\ud800\\u0041","d":NaN,"a":"\xc3\xa9"}'),
    (b'{"metadata":{"k":"\\ud800","k":1e400}}', b'{"metadata":{"k":"\\ud800","k":1e400,%b}}'),
    (b'{"a":' + b"9" * 4_000 + b"}", b'{"metadata":{%b},"a":' + b"9" * 4_000 + b"}"),
    (b'{"a":' + b"[" * 500 + b"]" * 500 + b"}",
     b'{"metadata":{%b},"a":' + b"[" * 500 + b"]" * 500 + b"}"),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "expected"), SPLICED, ids=range(len(SPLICED)))
def test_the_members_go_where_they_belong(raw: bytes, expected: bytes) -> None:
    assert with_metadata(raw, EXTRA) == expected % TEXT


FORGED = [
    b'{"metadata":{"sidecar_depth":"0","x":1}}',
    b'{"metadata":{"x":1,"sidecar_depth":"0","sidecar_depth":"7"}}',
    b'{"metadata":{"x":1,"sidecar_\\u0064epth":"0"}}',
]


@pytest.mark.parametrize("raw", FORGED)
def test_keys_of_ours_cannot_be_forged(raw: bytes) -> None:
    out = with_metadata(raw, EXTRA)
    pairs = json.loads(out, object_pairs_hook=list)[0][1]
    assert sorted(pairs) == sorted([("x", 1), *EXTRA.items()])


@given(objects, spaces, st.booleans())
def test_who_knows_that_it_has_none_gets_the_same(
    body: dict[str, Any], separators: tuple[str, str], ascii_only: bool
) -> None:
    body.pop("metadata", None)
    raw = written(body, separators, ascii_only)
    assert with_first(raw, b'"metadata":{%b}' % TEXT) == with_metadata(raw, EXTRA)


BARE = [b"{}", b" \n{\t}", b'{"a":1}', b' { "a":1}', b'{ "a":1}', b'{"":{}}']


@pytest.mark.parametrize("raw", BARE)
def test_wherever_it_begins(raw: bytes) -> None:
    assert with_first(raw, b'"metadata":{%b}' % TEXT) == with_metadata(raw, EXTRA)


def test_without_anything_to_add_nothing_is_read() -> None:
    assert with_metadata(b"{} anything", {}) == b"{} anything"


def test_what_is_added_is_escaped() -> None:
    out = with_metadata(b"{}", {"k": 'a"}\\\u2028\ud800'})
    assert json.loads(out) == {"metadata": {"k": 'a"}\\\u2028\ud800'}}
    assert out.isascii()


def test_another_member_can_be_added_to() -> None:
    assert with_metadata(b'{"config":{"x":1}}', {"k": "v"}, at="config") == (
        b'{"config":{"x":1,"k":"v"}}'
    )


TOLD = {"status": "error", "error": 'too "dear"\n\u00e9'}
STATUS, ERROR = b'"error"', b'"too \\"dear\\"\\n\\u00e9"'


@given(objects, values, values, spaces, st.booleans(), st.permutations(["status", "error", "x"]))
def test_members_are_replaced_where_they_stand_and_every_other_byte_is_kept(
    body: dict[str, Any],
    old_status: Any,
    old_error: Any,
    separators: tuple[str, str],
    ascii_only: bool,
    order: list[str],
) -> None:
    """The markers stand for the values in what the body is made of, so this knows the places."""
    theirs = {"status": old_status, "error": old_error, "x": 1}
    pairs = {**{key: body[key] for key in body if key not in theirs}}
    pairs |= {key: theirs[key] for key in order}
    members = [
        (written(key, separators, ascii_only), written(value, separators, ascii_only))
        for key, value in pairs.items()
    ]
    comma, colon = (part.encode() for part in separators)
    raw = b"{" + comma.join(key + colon + value for key, value in members) + b"}"
    ours = {b'"status"': STATUS, b'"error"': ERROR}
    expected = comma.join(key + colon + ours.get(key, value) for key, value in members)
    out = with_members(raw, TOLD)
    assert out == b"{" + expected + b"}"
    assert repr(json.loads(out)) == repr({**json.loads(raw), **TOLD})


@given(objects, spaces, st.booleans())
def test_members_that_are_missing_come_first_and_every_other_byte_is_kept(
    body: dict[str, Any], separators: tuple[str, str], ascii_only: bool
) -> None:
    body = {key: value for key, value in body.items() if key not in TOLD}
    raw = written(body, separators, ascii_only)
    added = b'"status":' + STATUS + b',"error":' + ERROR + (b"," if body else b"")
    out = with_members(raw, TOLD)
    assert without(added, out) == raw
    assert repr(json.loads(out)) == repr({**TOLD, **json.loads(raw)})


REPLACED = [
    (b'{"status":"interrupted"}', b'{"error":%b,"status":%a}'),
    (b' {\t"status" : "x" ,"a":1e400}', b' {"error":%b,\t"status" : %a ,"a":1e400}'),
    (b'{"error":{"message":"m"},"status":[1,"}"]}', b'{"error":%b,"status":%a}'),
    (b'\xef\xbb\xbf{"status":0}', b'\xef\xbb\xbf{"error":%b,"status":%a}'),
    # the name may be written with escapes, and the last of several counts
    (b'{"st\\u0061tus":0}', b'{"error":%b,"st\\u0061tus":%a}'),
    (b'{"status":0,"error":1,"status":2}', b'{"status":0,"error":%b,"status":%a}'),
    # only the top one is meant
    (b'{"kwargs":{"status":0}}', b'{"status":%a,"error":%b,"kwargs":{"status":0}}'),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "expected"), REPLACED, ids=range(len(REPLACED)))
def test_the_values_go_where_they_belong(raw: bytes, expected: bytes) -> None:
    expected = expected.replace(b"%a", STATUS).replace(b"%b", ERROR)
    assert with_members(raw, TOLD) == expected


NOT_OBJECTS = [raw for raw in UNTOUCHED if not raw.startswith(b'{"metadata":') or raw[-1:] == b"]"]


@pytest.mark.parametrize("raw", NOT_OBJECTS, ids=range(len(NOT_OBJECTS)))
def test_what_is_no_object_keeps_every_byte(raw: bytes) -> None:
    assert with_members(raw, TOLD) == raw


@given(st.binary(max_size=60) | st.text(alphabet='{}[]":,\\ un1.e+-\ufeffstatus').map(str.encode))
def test_members_are_put_into_objects_only(raw: bytes) -> None:
    try:
        is_object = isinstance(json.loads(raw.decode("utf-8")), dict)
    except ValueError:
        is_object = False
    assert is_object or with_members(raw, TOLD) == raw


CHANGES = [
    (b'{"a":1,"params":{"x":1}}', b'{"a":1,"params":<{"x":1}>}'),
    (b'{"params" : {} ,"z":[{}]}', b'{"params" : <{}> ,"z":[{}]}'),
    (b'{"params":{"no":1},"p\\u0061rams":{"y":"\xc3\xbc"}}',
     b'{"params":{"no":1},"p\\u0061rams":<{"y":"\xc3\xbc"}>}'),
]  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), CHANGES)
def test_a_member_is_put_through_a_change_and_the_rest_keeps_every_byte(
    body: bytes, expected: bytes
) -> None:
    assert with_changed(body, "params", lambda member: b"<" + member + b">") == expected


UNCHANGED = [
    b"",
    b"[]",
    b'{"params":[1]}',
    b'{"params":null}',
    b'{"other":{}}',
    b'{"params":{"a":1}',
    b'{"params":{}} {}',
    b'{"in":{"params":{}}}',
    b"\xff",
]


@pytest.mark.parametrize("body", UNCHANGED)
def test_where_there_is_no_such_object_nothing_is_changed(body: bytes) -> None:
    assert with_changed(body, "params", lambda member: b"gone") == body
