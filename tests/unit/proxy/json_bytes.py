"""Bodies as they may come: sound, odd, cut, and no JSON at all (failures.md 26)."""

import json
from typing import Any

from hypothesis import strategies as st

any_text = st.text(alphabet=st.characters(exclude_categories=[]), max_size=12)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=True)
    | st.sampled_from([2**70, 10**400])
    | any_text
)
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=8,
)


def objects(*keys: str) -> st.SearchStrategy[dict[str, Any]]:
    """Objects that are likely to have `keys`, with whatever as their values."""
    return st.dictionaries(st.sampled_from(keys) | any_text, values, max_size=len(keys) + 1)


def encoded(of: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    """Any of them as bytes: escaped or not, whole or cut, with a byte changed."""
    whole = st.builds(_dumped, of, st.booleans())
    return (
        whole
        | st.builds(_cut, whole, st.integers(0, 80))
        | st.builds(_changed, whole, st.integers(0, 200), st.integers(0, 255))
    )


def _dumped(value: Any, ascii_only: bool) -> bytes:
    return json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")


def _cut(body: bytes, length: int) -> bytes:
    return body[:length]


def _changed(body: bytes, where: int, byte: int) -> bytes:
    at = where % max(len(body), 1)
    return body[:at] + bytes([byte]) + body[at + 1 :]


def nested(depth: int, inside: bytes = b"1") -> bytes:
    return b"[" * depth + inside + b"]" * depth


DEPTHS = (10, 400, *range(900, 1_010, 3), 2_000, 5_000, 100_000)
"""Around the limits of every recursive reader."""

HOSTILE = [
    b"",
    b"\0",
    b"null",
    b"[]",
    b"[[]]",
    b'{"metadata":',
    b"\xff\xfe{}",
    b"\xef\xbb\xbf{}",
    b'{"a":' + b"9" * 5_000 + b"}",
    b"1e400",
    b"-" * 1_000,
    b'"\\ud800"',
    b'{"\\ud800":"\\udfff"}',
    b'"\\u12"',
    b"{" * 10_000,
    b'{"a":' * 10_000,
]
