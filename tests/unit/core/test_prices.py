"""Own prices: as they are written, and what messages cost by them."""

from decimal import Decimal
from typing import Any

import pytest

from subagent_sidecar.core.prices import (
    ModelPrice,
    cost,
    micro_usd,
    own_price,
    price_list,
    spellings,
    usd_text,
)
from subagent_sidecar.core.usage import Reading


def reading(given: int, written: int, read: int = 0, kept: int = 0) -> Reading:
    return Reading(
        message_id="m",
        model="m",
        input_tokens=given,
        output_tokens=written,
        cache_read_tokens=read,
        cache_write_tokens=kept,
    )


def price(given: Any, written: Any, **parts: Any) -> ModelPrice:
    made = {"input_per_mtok": given, "output_per_mtok": written, **parts}
    return price_list({"m": made})["m"]


PARTS = {"cache_read_per_mtok": 0.3, "cache_write_per_mtok": 3.75}


@pytest.mark.parametrize(
    ("used", "by", "micro"),
    [
        (reading(0, 0), price(3, 15), 0),
        (reading(1_000, 100), price(3.0, 15.0), 4_500),
        (reading(1, 0), price(3, 15), 3),
        (reading(1, 0), price("0.5", 15), 1),  # half a micro-dollar
        (reading(1, 0), price(0.49, 15), 0),
        (reading(3, 0), price(0.1, 0), 0),
        (reading(5, 0), price(0.1, 0), 1),
        (reading(1_000, 100), price(0, 0), 0),
        (reading(1_000, 100, read=500), price(3, 15), 4_500),
        (reading(1_000, 100, read=500, kept=300), price(3, 15, **PARTS), 600 + 150 + 1_125 + 1_500),
        (reading(1_000, 0, read=1_000), price(3, 15, cache_read_per_mtok=0), 0),
        (reading(1_000, 0, read=600, kept=401), price(3, 15), None),
        (reading(10**12, 10**12), price(1e6, 1e6), 2 * 10**18),
    ],
)
def test_what_a_message_costs(used: Reading, by: ModelPrice, micro: int | None) -> None:
    assert cost(used, by) == micro


def test_an_amount_is_what_is_written_and_not_the_nearest_double() -> None:
    assert price(0.1, "2.50") == ModelPrice(
        input_per_mtok=Decimal("0.1"), output_per_mtok=Decimal("2.50")
    )


@pytest.mark.parametrize("usd", ["NaN", "Infinity", "-1", "1e13"])
def test_a_sum_that_the_books_cannot_hold_is_unknown(usd: str) -> None:
    assert micro_usd(Decimal(usd)) is None


@pytest.mark.parametrize(
    ("micro", "text"), [(0, "0.000000"), (1, "0.000001"), (12_345, "0.012345"), (10**6, "1.000000")]
)
def test_money_is_written_with_six_decimals(micro: int, text: str) -> None:
    assert usd_text(micro) == text


FULL: dict[Any, Any] = {"input_per_mtok": 1, "output_per_mtok": 2}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "must map model names to prices"),
        ({"m": 3}, "m: must have input_per_mtok and output_per_mtok"),
        ({"m": {"input_per_mtok": 3}}, "m: `output_per_mtok` is missing"),
        ({"m": {**FULL, "per_call": 1}}, "m: unknown key 'per_call'"),
        ({"m": {**FULL, 3: 1}}, "m: unknown key 3"),
        ({"m": {**FULL, "input_per_mtok": "a lot"}}, "m: input_per_mtok: 'a lot' is not an amount"),
        ({"m": {**FULL, "input_per_mtok": True}}, "m: input_per_mtok: True is not"),
        ({"m": {**FULL, "input_per_mtok": None}}, "m: input_per_mtok: None is not"),
        ({"m": {**FULL, "input_per_mtok": -1}}, "m: input_per_mtok: -1 is not"),
        ({"m": {**FULL, "input_per_mtok": float("nan")}}, "m: input_per_mtok: nan is not"),
        ({"m": {**FULL, "input_per_mtok": 1e7}}, "m: input_per_mtok: 10000000.0 is not"),
        ({"m": 3, "n": FULL, "o": {}}, f"m: must have {' and '.join(FULL)}; o: `input_per_mtok`"),
        ({7: FULL}, "7: 7 is not a model's name"),
        ({"": FULL}, ": '' is not a model's name"),
    ],
)
def test_a_price_list_that_cannot_be_used_says_why(given: Any, said: str) -> None:
    with pytest.raises(ValueError) as error:
        price_list(given)
    assert str(error.value).startswith(said)


@pytest.mark.parametrize(
    ("model", "tried"),
    [
        ("my-model", ["my-model"]),
        ("gpt-4o-2024-08-06", ["gpt-4o-2024-08-06", "gpt-4o"]),
        ("claude-x-20250929", ["claude-x-20250929", "claude-x"]),
        ("claude-x@20250929", ["claude-x@20250929", "claude-x"]),
        ("anthropic/claude-x", ["anthropic/claude-x", "claude-x"]),
        ("openai:gpt-4o", ["openai:gpt-4o", "gpt-4o"]),
        ("llama3:8b", ["llama3:8b", "8b"]),
        ("a/b/c-20260101", ["a/b/c-20260101", "a/b/c", "c-20260101", "c"]),
        ("m-12345678", ["m-12345678"]),
        ("/", ["/"]),
    ],
)
def test_what_a_model_may_be_called_elsewhere(model: str, tried: list[str]) -> None:
    assert list(spellings(model)) == tried


def test_the_exact_name_comes_before_the_nearest() -> None:
    prices = price_list({"gpt-4o": FULL, "gpt-4o-2024-08-06": {**FULL, "input_per_mtok": 9}})
    dated, other = own_price(prices, "gpt-4o-2024-08-06"), own_price(prices, "openai/gpt-4o")
    assert dated is not None and dated.input_per_mtok == 9
    assert other is not None and other.input_per_mtok == 1
    assert own_price(prices, "gpt-5") is None
