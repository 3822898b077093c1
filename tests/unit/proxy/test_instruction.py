"""Which instructions are alike. A false "yes" refuses work that was never done."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subagent_sidecar.proxy.bodies import batch_items, run_body

PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
OTHER_PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,BBBB"}}


def fingerprint(content: object, *before: object, **more: object) -> str | None:
    """Of a run whose last message holds `content`."""
    messages = [{"role": "user", "content": each} for each in (*before, content)]
    return run_body(json.dumps({"input": {"messages": messages}, **more}).encode()).fingerprint


ALIKE: list[tuple[Any, Any]] = [
    ("find\n\n  the\tanswer ", "find the answer"),
    ("find\u2028the\u00a0answer", "find the answer"),
    ([{"type": "text", "text": "find"}, {"type": "text", "text": "it"}], "find it"),
    ([{"text": "what is it", "type": "text"}, PICTURE], [{"text": "what is it"}, {**PICTURE}]),
    ("half \ud800 a pair", "half \ud800  a pair"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_the_same_words_are_the_same_instruction(one: Any, other: Any) -> None:
    assert fingerprint(one) is not None
    assert fingerprint(one) == fingerprint(other)


UNLIKE: list[tuple[Any, Any]] = [
    ("find the answer", "find the answers"),
    ("find the answer", "Find the answer"),
    ("find the answer", "findthe answer"),
    # Where only the far end differs, which the purpose does not show.
    ("x " * 5_000 + "for Q1", "x " * 5_000 + "for Q2"),
    ([{"text": "what is it"}, PICTURE], [{"text": "what is it"}, OTHER_PICTURE]),
    ([{"text": "what is it"}, PICTURE], "what is it"),
    ("half \ud800 a pair", "half \ud801 a pair"),
]


@pytest.mark.parametrize(("one", "other"), UNLIKE)
def test_other_words_or_pictures_are_another_instruction(one: Any, other: Any) -> None:
    assert None is not fingerprint(one) != fingerprint(other)


def test_it_is_a_short_word_of_hex_digits_that_will_not_change_with_a_version() -> None:
    """It is kept: after an update of the sidecar it must still find the starts of before."""
    assert fingerprint("find the answer") == "9599101077b48e04"


def test_nothing_but_the_last_message_matters() -> None:
    plain = fingerprint("find it")
    assert fingerprint("find it", "an earlier question", "and its answer") == plain
    assert fingerprint("find it", assistant_id="coder", config={"recursion_limit": 9}) == plain
    assert fingerprint("find it", odd=float("nan")) == plain  # read by the loose reader


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"input": None},
        {"input": {"messages": []}},
        {"input": {"topic": "no message"}},
        {"command": {"resume": "EU"}},
        {"input": {"messages": [{"role": "user", "content": " \n "}]}},
        {"input": {"messages": [{"role": "user", "content": [PICTURE]}]}},
        {"input": {"messages": [{"role": "user", "content": "x" * 300_000}]}},
    ],
)
def test_without_words_that_were_read_there_is_none(body: object) -> None:
    assert run_body(json.dumps(body).encode()).fingerprint is None


@given(st.lists(st.text(st.characters(exclude_categories=("Z", "C")), min_size=1)), st.data())
def test_no_white_space_makes_a_difference(words: list[str], data: st.DataObject) -> None:
    gap = st.text(" \n\t\r\u00a0\u2009\u3000", min_size=1)
    spaced = "".join(word + data.draw(gap) for word in words)
    assert fingerprint(spaced) == fingerprint(" ".join(words))


def test_a_part_nested_too_deeply_to_be_written_down_hurts_nobody() -> None:
    """What one library still reads the other may not be able to write any more."""
    for levels in (500, *range(900, 1_020), 100_000):
        deep = b"[" * levels + b"]" * levels
        body = b'{"input":{"messages":[{"content":[{"text":"a"},{"x":%b}]}]}}' % deep
        found = [run_body(body).fingerprint]
        found += [item.fingerprint for item in batch_items(b"[%b]" % body)]
        assert fingerprint("a") not in found
