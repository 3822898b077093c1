"""The table of metrics keeps to the conventions of those who will query it."""

import re

import pytest

from subagent_sidecar.core.metrics.instruments import ALL, Instrument, Kind

NAME = re.compile(r"subagent_[a-z]+(_[a-z]+)*")
LABELS = {
    "agent", "by", "cause", "code", "error", "kind", "mode", "model", "outcome", "policy", "python",
    "reason", "result", "rule", "scope", "state", "status", "store", "target", "told", "type",
    "upstream", "version",
}  # fmt: skip
"""Each is bounded: a word of ours, of the policy's, an upstream, a target of
push, or a name that is folded."""


def test_no_two_metrics_share_a_name() -> None:
    shown = [each.name.removesuffix("_total").removesuffix("_info") for each in ALL]
    assert len(set(shown)) == len(shown) > 40


@pytest.mark.parametrize("instrument", ALL, ids=lambda each: each.name)
def test_names_end_as_their_kind_wants(instrument: Instrument) -> None:
    name = instrument.name
    assert NAME.fullmatch(name)
    assert name.endswith("_total") is (instrument.kind is Kind.COUNTER)
    assert name.endswith("_info") is (instrument.kind is Kind.INFO)
    assert instrument.kind is not Kind.HISTOGRAM or name.endswith("_seconds")
    assert not name.endswith(("_count", "_sum", "_bucket", "_created"))
    assert instrument.help and not instrument.help.endswith(".")


def test_no_label_holds_an_id() -> None:
    assert {label for each in ALL for label in each.labels} == LABELS
