"""A policy as tables."""

from pathlib import Path

import pytest
import yaml
from tests.support.policies import EVERYTHING

from subagent_sidecar.core.policy_words import document
from subagent_sidecar.policy_file import parse
from subagent_sidecar.yaml_file import Document
from subagentctl.look import Look
from subagentctl.policy_view import Rule, policy_lines, summary


def policy(text: str) -> Rule:
    return document(parse([Document(Path("p.yaml"), yaml.safe_load(text), {})]))


def lines(text: str, *files: str, width: int | None = None) -> list[str]:
    said = policy(text)
    rules = [rule for section in ("limits", "budgets", "lifecycle") for rule in said[section]]
    origins = {rule["name"]: "p" for rule in rules}
    return policy_lines(said, files or ("p.yaml",), origins, Look(width=width))


def row(rule: str, text: str = EVERYTHING) -> str:
    """The first line about a rule, with single spaces."""
    return next(" ".join(line.split()) for line in lines(text) if line.startswith(f"{rule} "))


@pytest.mark.parametrize(
    ("rule", "shown"),
    [
        (
            "a",
            "a enforce 5 at a time task agent a or b*, upstream u, supervisor ?, "
            "session default:*, depth <=3",
        ),
        ("b", "b observe 5 starts in 90m session everybody"),
        ("c", "c observe 1 of the same tree everybody"),
        ("d", "d observe depth 0 — everybody"),
        ("e", "e observe none at all — depth ==4"),
        (
            "f",
            "f enforce $5.25, 2,000,000 tokens, 2h of run time, 10 runs in 7d global cancel, "
            "reserve $0.10, 1,000 tokens, 1m of run time, unpriced: $0.50, soft at 0.5 depth ==0",
        ),
        ("g", "g enforce queue 0 agent a"),
    ],
)
def test_a_rule_is_a_line(rule: str, shown: str) -> None:
    assert row(rule) == shown


def test_one_start_is_no_starts_and_small_money_is_exact() -> None:
    assert "1 start " in row("a", "version: 1\nlimits:\n  - {name: a, starts: 1, per: session}\n")
    assert "$0.000125 " in row(
        "a", "version: 1\nbudgets:\n  - {name: a, usd: 0.000125, per: task}\n"
    )


def test_what_is_no_rule_comes_last() -> None:
    assert lines(EVERYTHING)[-8:] == [
        "",
        "coalesce        0",
        "on_store_error  fail_open",
        "prices          m",
        "a says: No.",
        "f says: No.",
        "",
        "5 limits, 1 budget, 1 lifecycle rule (4 of them only observing)",
    ]


def test_an_empty_policy_says_so() -> None:
    assert lines("version: 1\n") == [
        "p.yaml",
        "",
        "no rules",
    ]


def test_of_several_files_each_rule_says_where_it_is_from() -> None:
    assert "POLICY" not in "".join(lines(EVERYTHING))
    assert "POLICY" in "".join(lines(EVERYTHING, "p.yaml", "q.yaml"))


@pytest.mark.parametrize("width", [40, 80, 100])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    shown = lines(EVERYTHING, "p.yaml", width=width)
    assert max(map(len, shown)) <= width


def test_the_summary_counts() -> None:
    assert summary(policy("version: 1\nlimits:\n  - {name: a, depth: 1}\n")) == "1 limit"
