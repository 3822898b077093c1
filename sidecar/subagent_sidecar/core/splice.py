"""Adding to a JSON body, or replacing in it, while leaving every other byte as it was.

A body that was parsed and written again is another body: key order, number spelling, lone
surrogates, duplicate keys and huge integers change or break on the way. So the members are put in
as text at the right place, and what cannot be understood passes untouched.
"""

import json
from collections.abc import Callable, Container, Mapping
from json.decoder import JSONDecodeError
from json.decoder import scanstring as _scan_string  # type: ignore[attr-defined]
from typing import Any

# Both are how the standard decoder reads itself, in C; typeshed does not list them.
_scan_value = json.JSONDecoder().scan_once  # type: ignore[attr-defined]
quoted = json.encoder.encode_basestring_ascii
_SPACE = " \t\n\r"
_SPACES = _SPACE.encode()


def with_metadata(body: bytes, extra: Mapping[str, str], *, at: str = "metadata") -> bytes:
    """`body` with `extra` as members of its top-level object `at`.

    Keys of `extra` win over the client's. A body that is not a JSON object, or whose `at` is none,
    is returned as it is: the server shall judge it, and langgraph-api refuses a null there.
    """
    if not extra:
        return body
    try:
        return _spliced(body.decode("utf-8"), extra, at).encode("utf-8")
    except (ValueError, StopIteration, IndexError, RecursionError):
        # Not UTF-8, not JSON, or beyond what Python reads (an integer of 4,301 digits).
        return body


def with_members(body: bytes, members: Mapping[str, str]) -> bytes:
    """`body` with `members` at the top level of its object: in the place of those that are there
    (of several the last, which is the one that counts), and before the others where none is.

    A body that is not a JSON object is returned as it is.
    """
    try:
        text = body.decode("utf-8")
        start = _skip(text, 1 if text.startswith("\ufeff") else 0)
        if text[start] != "{":
            return body
        found = _members(text, start, members)
        last_first = sorted(found, key=lambda name: found[name][0], reverse=True)
        for name in last_first:
            begin, end, _ = found[name]
            text = text[:begin] + quoted(members[name]) + text[end:]
        if missing := {name: members[name] for name in members if name not in found}:
            text = _with_first(text, start + 1, _object(missing)[1:-1])
        return text.encode("utf-8")
    except (ValueError, StopIteration, IndexError, RecursionError):
        return body  # as in with_metadata


def with_changed(body: bytes, at: str, change: Callable[[bytes], bytes]) -> bytes:
    """`body` with what stands at its top-level object `at` (of several the last) put through
    `change`. Returned as it is where there is no such object."""
    try:
        text = body.decode("utf-8")
        start = _skip(text, 1 if text.startswith("\ufeff") else 0)
        found = _members(text, start, (at,)).get(at) if text[start] == "{" else None
        if found is None or not isinstance(found[2], dict):
            return body
        begin, end, _ = found
        changed = change(text[begin:end].encode("utf-8")).decode("utf-8")
        return (text[:begin] + changed + text[end:]).encode("utf-8")
    except (ValueError, StopIteration, IndexError, RecursionError):
        return body  # as in with_metadata


def with_first(body: bytes, member: bytes) -> bytes:
    """The object `body` with one member more, before the others. That it is an object, and has no
    member of that name, is for the caller to know: then there is nothing to be looked for."""
    if body.startswith(b'{"'):
        return b"{%b,%b" % (member, body[1:])
    start = body.index(b"{") + 1
    comma = b"" if body[start:].lstrip(_SPACES)[:1] == b"}" else b","
    return b"".join((body[:start], member, comma, body[start:]))


def _object(members: Mapping[str, str]) -> str:
    return "{" + ",".join([f"{quoted(k)}:{quoted(v)}" for k, v in members.items()]) + "}"


def _spliced(text: str, extra: Mapping[str, str], at: str) -> str:
    start = _skip(text, 1 if text.startswith("\ufeff") else 0)
    if text[start] != "{":
        return text
    found = _members(text, start, (at,)).get(at)
    members = _object(extra)
    if found is None:
        return _with_first(text, start + 1, f"{quoted(at)}:{members}")
    begin, end, value = found
    if value == {}:
        return text[:begin] + members + text[end:]
    if not isinstance(value, dict):
        return text
    if value.keys() & extra.keys():
        kept = {key: item for key, item in value.items() if key not in extra}
        members = json.dumps({**kept, **extra}, separators=(",", ":"))
        return text[:begin] + members + text[end:]
    return f"{text[: end - 1]},{members[1:-1]}{text[end - 1 :]}"


def _with_first(text: str, at: int, member: str) -> str:
    """`text` with `member` at `at`, where the members of an object begin."""
    comma = "" if text[_skip(text, at)] == "}" else ","
    return f"{text[:at]}{member}{comma}{text[at:]}"


def _members(text: str, start: int, names: Container[str]) -> dict[str, tuple[int, int, Any]]:
    """(begin, end, value) of the last top-level member of each name: the last one is the one that
    counts to every common parser. Reads the whole object, so malformed text raises."""
    found = {}
    at = _skip(text, start + 1)
    while text[at] != "}":
        key, at = _scan_string(text, _expect(text, at, '"'))
        at = _skip(text, _expect(text, _skip(text, at), ":"))
        value, end = _scan_value(text, at)
        if key in names:
            found[key] = (at, end, value)
        at = _skip(text, end)
        if text[at] == ",":
            at = _expect(text, _skip(text, at + 1), '"') - 1
        else:
            _expect(text, at, "}")
    if text[at + 1 :].strip(_SPACE):
        raise JSONDecodeError("expected the end", text, at + 1)
    return found


def _expect(text: str, at: int, char: str) -> int:
    if text[at] != char:
        raise JSONDecodeError(f"expected {char}", text, at)
    return at + 1


def _skip(text: str, at: int) -> int:
    while text[at] in _SPACE:
        at += 1
    return at
