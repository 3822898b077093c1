"""What a setting says is stronger than what a policy says, and that than what is built in."""

from pathlib import Path

import pytest
from tests.support.policies import loaded
from tests.support.settings import parsed

from subagent_sidecar.compose.policies import coalesce_s, prices
from subagent_sidecar.core.policy import Policy

SECOND = "version: 1\npolling: {coalesce: 1s}\n"
OFF = "version: 1\npolling: {coalesce: 0}\n"


@pytest.mark.parametrize(
    ("setting", "policy", "window"),
    [
        (None, "version: 1\n", 0.25),
        (None, SECOND, 1.0),
        (None, OFF, 0.0),
        ("2s", SECOND, 2.0),
        ("0", SECOND, 0.0),
        ("2s", OFF, 2.0),
    ],
)
def test_the_window_of_polls(
    tmp_path: Path, setting: str | None, policy: str, window: float
) -> None:
    found = parsed(flags={"coalesce": setting})
    assert coalesce_s(found, loaded(tmp_path, policy)) == window


def test_prices_are_taken_model_by_model(tmp_path: Path) -> None:
    policy = loaded(
        tmp_path,
        "version: 1\nprices:\n"
        "  a: {input_per_mtok: 1, output_per_mtok: 1}\n"
        "  b: {input_per_mtok: 2, output_per_mtok: 2}\n",
    )
    own = {"b": {"input_per_mtok": 7, "output_per_mtok": 7}}
    found = prices(parsed(flags={"prices": own}), policy)
    assert {model: price.input_per_mtok for model, price in found.items()} == {"a": 1, "b": 7}
    assert prices(parsed(), Policy()) == {}
