"""docs/reference/http.md names every field of starts, decisions, checks and explanations."""

import re
from datetime import UTC, datetime

import pytest
from tests.docs import repository
from tests.support.books import Story
from tests.support.counting import Counted
from tests.support.past import refused, rules, started

from subagent_sidecar.core.decide import decide
from subagent_sidecar.core.past_words import check_words, decision_words, start_words
from subagent_sidecar.core.standing import calls_about, rules_words, verdict_words

PAGE = repository.read("docs/reference/http.md")
WORD = re.compile(r"`([a-z_]+)(?:\[\])?`")


def tables(heading: str) -> list[dict[str, str]]:
    """The tables under `### heading`: what their second column says, by each name in the first."""
    under = PAGE.split(f"### {heading}\n")[1].split("\n##")[0]
    found = []
    for block in under.split("| field | meaning |")[1:]:
        rows = [line.split(" | ", 1) for line in block.splitlines() if line.startswith("| `")]
        found.append({name: row[1] for row in rows for name in WORD.findall(row[0])})
    return found


STORY = Story()
STORY.started("r1", fingerprint="f")
CALLS = calls_about(STORY.task(), STORY.run("r1"))
POLICY = rules("name: x, concurrent: 1, per: session")
VERDICTS = {
    kind: decide(POLICY, Counted(), call, datetime(2026, 1, 1, tzinfo=UTC))
    for kind, call in CALLS.items()
}
CHECK = check_words(VERDICTS["start"].checks[0])


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, start_words(started(1, "t"))), (1, decision_words(refused(1, "i"))), (2, CHECK)],
    ids=["a start", "a decision", "a check"],
)
def test_every_field_of_the_past_is_listed(number: int, words: dict[str, object]) -> None:
    assert tables("The past")[number].keys() == words.keys()


def test_every_field_of_a_rule_and_a_verdict_is_named() -> None:
    [listed] = tables("An explanation")
    [row] = rules_words(VERDICTS)
    assert set(row) - set(CHECK) <= set(WORD.findall(listed["rules"]))
    verdict = verdict_words(VERDICTS["start"])
    named = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"`([^`]+)`", listed["verdicts"]))))
    assert set(verdict) <= named


def test_every_kind_of_start_is_named() -> None:
    [listed] = tables("An explanation")
    assert set(CALLS) <= set(WORD.findall(listed["rules"]))
