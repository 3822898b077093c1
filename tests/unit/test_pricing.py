"""What messages cost: own prices first, then the published ones, else nothing is claimed."""

import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from subagent_sidecar import published_prices
from subagent_sidecar.core.prices import price_list
from subagent_sidecar.core.usage import Reading
from subagent_sidecar.pricing import Prices

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
OWN = price_list({"my-model": {"input_per_mtok": 1, "output_per_mtok": 2}})


def reading(model: str | None, provider: str | None = None, **tokens: int) -> Reading:
    used = {"input_tokens": 1_000_000, "output_tokens": 0, **tokens}
    return Reading(message_id="m", model=model, provider=provider, **used)


def listed(model: str, provider: str | None = None, **tokens: int) -> Decimal | None:
    return published_prices.price(reading(model, provider, **tokens), NOW)


def never(reading: Reading, at: datetime) -> Decimal | None:
    raise AssertionError(f"{reading.model} has an own price")


def test_an_own_price_comes_first() -> None:
    own = price_list({"claude-sonnet-4-5": {"input_per_mtok": 7, "output_per_mtok": 0}})
    prices = Prices(own, published=never)
    assert prices.cost(reading("claude-sonnet-4-5-20250929", "anthropic"), NOW) == 7_000_000


def test_other_prices_hold_from_now_on() -> None:
    prices = Prices({}, published=lambda reading, at: Decimal(1))
    assert prices.cost(reading("mine"), NOW) == 1_000_000
    prices.charge(price_list({"mine": {"input_per_mtok": 7, "output_per_mtok": 0}}))
    assert prices.cost(reading("mine"), NOW) == 7_000_000


def test_a_model_without_an_own_price_has_the_published_one() -> None:
    prices = Prices(OWN, published=lambda reading, at: Decimal("0.0000025"))
    assert prices.cost(reading("claude-sonnet-4-5"), NOW) == 3


@pytest.mark.parametrize("model", [None, "no-such-model"])
def test_what_nobody_has_a_price_for_is_unknown(model: str | None) -> None:
    assert Prices(OWN).cost(reading(model), NOW) is None


def test_the_published_prices_are_used_when_none_are_given() -> None:
    assert Prices({}).cost(reading("claude-sonnet-4-5", "anthropic"), NOW) == 6_000_000


# Expensive enough to show which price it is; the list prices of models that do not change any more.
@pytest.mark.parametrize(
    ("model", "provider", "usd"),
    [
        ("gpt-4o", "openai", "2.5"),
        ("gpt-4o", None, "2.5"),
        ("gpt-4o-2024-08-06", "openai", "2.5"),
        ("gpt-4o-20240806", "openai", "2.5"),
        ("openai:gpt-4o", None, "2.5"),
        ("openai/gpt-4o", None, "2.5"),
        ("azure/gpt-4o", None, "2.5"),
        ("gpt-4o-2024-08-06", "azure_openai", "2.5"),
        ("openai/gpt-4o", "openai", "2.5"),
        ("claude-3-haiku-20240307", "anthropic", "0.25"),
        ("anthropic/claude-3-haiku-20240307", None, "0.25"),
        ("anthropic:claude-3-haiku-20240307", None, "0.25"),
        ("anthropic.claude-3-haiku-20240307-v1:0", "bedrock_converse", "0.25"),
        ("bedrock/anthropic.claude-3-haiku-20240307-v1:0", None, "0.25"),
        ("openai/gpt-4o", "litellm", "2.5"),
        ("models/gemini-2.0-flash", "google_genai", "0.1"),
        ("google_genai:gemini-2.0-flash", None, "0.1"),
    ],
)
def test_a_model_is_found_under_the_names_servers_give_it(
    model: str, provider: str | None, usd: str
) -> None:
    assert listed(model, provider) == Decimal(usd)


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("my-model", None),
        ("gpt-4o", "ollama"),  # somebody's own machine, whatever the model is called
        ("openai/gpt-4o", "ollama"),
        ("qwen3:8b", "ollama"),
        ("qwen3:8b", None),
        ("text-embedding-3-small", "openai"),  # its output has no price, and would come out free
        ("", None),
        ("/", None),
        (":", None),
        ("x" * 200, None),
    ],
)
def test_no_price_is_claimed_where_none_is_known(model: str, provider: str | None) -> None:
    assert listed(model, provider, output_tokens=1) is None


@pytest.mark.parametrize(
    ("tokens", "usd"),
    [
        ({"input_tokens": 1_000, "output_tokens": 100}, "0.0045"),
        ({"input_tokens": 1_000, "output_tokens": 100, "cache_read_tokens": 500}, "0.00315"),
        ({"input_tokens": 1_000, "output_tokens": 0, "cache_write_tokens": 1_000}, "0.00375"),
        (
            {
                "input_tokens": 1_000,
                "output_tokens": 0,
                "cache_write_tokens": 1_000,
                "cache_write_1h_tokens": 600,
            },
            "0.0051",
        ),
        ({"input_tokens": 100, "output_tokens": 1, "cache_read_tokens": 101}, None),
    ],
)
def test_the_cached_parts_have_prices_of_their_own(tokens: dict[str, int], usd: str | None) -> None:
    cost = listed("claude-sonnet-4-5", "anthropic", **tokens)
    assert cost == (None if usd is None else Decimal(usd))


def test_names_that_servers_make_up_do_not_fill_the_memory() -> None:
    for number in range(6_000):
        assert listed(f"made-up-{number}") is None
    misses = published_prices._catalogue._snapshot._provider_misses
    assert len(misses) < 6_000


_ALONE = """
import sys, threading

def hook(event, args):
    if event in ("socket.connect", "socket.getaddrinfo"):
        raise SystemExit(f"the network was asked: {event} {args}")

sys.addaudithook(hook)
import subagent_sidecar.compose
from subagent_sidecar.core.usage import Reading
from subagent_sidecar.pricing import Prices
from datetime import datetime, UTC

prices = Prices({})
assert "genai_prices" not in sys.modules, "loaded before it was needed"
known = Reading(message_id="m", model="gpt-4o", input_tokens=1_000_000, output_tokens=0)
assert prices.cost(known, datetime(2026, 11, 1, tzinfo=UTC)) == 2_500_000
assert threading.active_count() == 1, threading.enumerate()
"""


def test_the_published_prices_load_late_and_ask_no_network() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _ALONE], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
