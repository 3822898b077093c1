"""What a replay comes to, as people read it."""

from typing import Any

import pytest

from subagentctl.look import Look
from subagentctl.replay_view import replay_lines

WIDE = Look(width=None)
SINCE = "2026-11-16T03:00:00.000000Z"


def used(
    runs: int = 1, usd: str = "0.000000", tokens: int = 0, time: float = 0.0, **more: int
) -> Any:
    unknown = {"cost_unknown": 0, "tokens_unknown": 0, "run_time_unknown": 0}
    return {"runs": runs, "usd": usd, "tokens": tokens, "run_time_s": time, **unknown, **more}


def rule(name: str, starts: int, usage: Any) -> Any:
    return {
        "rule": name,
        "policy": "strict",
        "starts": starts,
        "refusals_on_record": 0,
        "first": "2026-11-17T03:00:00.000000Z",
        "last": "2026-11-18T03:00:00.000000Z",
        "usage": usage,
    }


def document(**changes: Any) -> Any:
    found = {
        "files": ("policies/strict.yaml",),
        "since": SINCE,
        "whole_from": None,
        "starts": 1_240,
        "refused": 310,
        "not_made": 0,
        "past_the_sidecar": 0,
        "saved": used(310, "12.300000", 4_103_220, 12_000.0, cost_unknown=4),
        "by_rule": [rule("session-fan-out", 310, used(310, "12.300000", 4_103_220, 12_000.0))],
        "without_parent": used(0),
        "observed": [],
        "refusals": {"on_record": 0, "let_in": 0, "not_made": 0},
    }
    return {**found, **changes}


def test_the_first_sentence_says_what_it_comes_to() -> None:
    assert replay_lines(document(), WIDE)[0] == (
        "Of 1,240 starts since 2026-11-16 03:00:00 UTC, strict.yaml would have refused 310 (25 %), "
        "saving $12.30, 4,103,220 tokens, 3h 20m of run time; of 4 runs the cost is unknown."
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"starts": 0, "refused": 0}, "No start is on record since 2026-11-16 03:00:00 UTC."),
        ({"refused": 0}, "would have refused none."),
        ({"starts": 1, "refused": 1}, "Of the 1 start since"),
        ({"refused": 1}, "refused 1 (<1 %), saving"),
        ({"not_made": 1, "refused": 1}, "and 1 more would not have been made without it, saving"),
        ({"files": ("a/x.yaml", "y.yaml")}, "x.yaml and y.yaml would have refused"),
        (
            {"saved": used(2, cost_unknown=2, tokens_unknown=2, run_time_unknown=1, time=3.0)},
            "saving 3.0s of run time; of 2 runs the cost is unknown, of 2 runs the tokens are "
            "unknown, 1 run is not over.",
        ),
        (
            {"saved": used(1, cost_unknown=1, tokens_unknown=1, run_time_unknown=1)},
            "saving nobody knows what; of 1 run the cost is unknown",
        ),
        (
            {"saved": used(2, "0.100000", 9, 1.0, cost_unknown=2)},
            "saving $0.10, 9 tokens, 1.0s of run time; of 2 runs the cost is unknown.",
        ),
    ],
)
def test_the_first_sentence_is_no_more_than_what_is_known(
    changes: dict[str, Any], expected: str
) -> None:
    assert expected in replay_lines(document(**changes), WIDE)[0]


def test_a_line_for_each_rule_and_one_for_what_was_not_made() -> None:
    lines = replay_lines(
        document(not_made=3, without_parent=used(3, "0.500000", 10, 60.0, tokens_unknown=1)), WIDE
    )
    assert lines[2] == "WOULD HAVE BEEN REFUSED, by rule"
    assert lines[4].split() == [
        *("session-fan-out", "strict", "310", "11-17", "03:00:00Z", "11-18", "03:00:00Z"),
        *("$12.30", "4,103,220", "3h", "20m"),
    ]
    assert lines[5].split()[-7:] == ["3", "—", "—", "$0.50", "10?", "1m", "0s"]


def test_what_is_unknown_altogether_is_not_zero() -> None:
    unknown = used(2, cost_unknown=2, tokens_unknown=2, run_time_unknown=2)
    lines = replay_lines(document(by_rule=[rule("x", 2, unknown)]), WIDE)
    assert lines[4].split()[-3:] == ["?", "?", "?"]


def test_observing_rules_have_a_table_of_their_own() -> None:
    lines = replay_lines(
        document(refused=0, by_rule=[], observed=[rule("w", 7, used(7, "1.000000", 5, 2.0))]), WIDE
    )
    assert lines[2] == "WOULD HAVE BEEN RECORDED, and let in: rules that only observe"
    assert lines[4].split()[:3] == ["w", "strict", "7"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"refusals": {"on_record": 17, "let_in": 5, "not_made": 0}},
            "Of 17 refusals on record it would have let in 5; what those would have cost nobody "
            "knows.",
        ),
        (
            {"refusals": {"on_record": 1, "let_in": 0, "not_made": 0}},
            "Of the 1 refusal on record it would have let in none.",
        ),
        (
            {"past_the_sidecar": 2},
            "Runs that were started past the sidecar, and taken as they came: 2.",
        ),
        (
            {"whole_from": "2026-11-20T00:00:00.000000Z"},
            "The record is whole from 2026-11-20 00:00:00 UTC on: what retention has removed from "
            "before is not replayed, and not counted.",
        ),
    ],
)
def test_what_else_must_be_known_stands_below_it(changes: dict[str, Any], expected: str) -> None:
    assert replay_lines(document(**changes), WIDE)[1] == expected


def test_single_starts_are_told_with_the_rule_and_its_numbers() -> None:
    one = {
        "at": "2026-11-17T03:00:00.000000Z",
        "on_record": "started",
        "fate": "refused",
        "task_id": "01a2064f-5864-7545-89d1-a55134a759fd",
        "run_id": "r",
        "agent": "coder\x1b[31m",
        "session": "s",
        "rule": "places",
        "what": "concurrent",
        "current": 3,
        "limit": 3,
        "usage": used(1, "0.250000", 5, 2.0),
    }
    orphan = {**one, "fate": "orphaned", "rule": None, "what": None}
    passed = {**one, "on_record": "refused", "fate": "let_in", "rule": None, "usage": None}
    passed["times"] = 2_000
    lines = replay_lines(document(single=[one, orphan, passed]), WIDE)
    assert lines[-3].split() == [
        *("11-17", "03:00:00Z", "34a759fd", "coder\ufffd[31m", "s", "refused", "places"),
        *("3", "of", "3", "$0.25"),
    ]
    assert "not made" in lines[-2]
    assert "let in, 2,000 times" in lines[-1]
    assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_line_is_wider_than_there_is_room(width: int) -> None:
    changes = {"not_made": 2, "whole_from": SINCE, "past_the_sidecar": 9}
    lines = replay_lines(document(**changes), Look(width=width))
    assert max(map(len, lines)) <= width
