"""What tokens cost, as far as the operator says so. Exact: decimals in, whole micro-dollars out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from re import compile as pattern
from typing import Any

from .model import UsageEntry
from .usage import Reading

_DATED = pattern(r"[-@](?:20\d{6}|20\d\d-\d\d-\d\d)$")
_DEAREST = Decimal(10**6)
_MICRO = Decimal(10**6)
_MOST = 2**63 - 1
_REQUIRED = ("input_per_mtok", "output_per_mtok")
_OPTIONAL = ("cache_read_per_mtok", "cache_write_per_mtok")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPrice:
    """USD for a million tokens. Cached tokens cost what other input costs where nothing is said."""

    input_per_mtok: Decimal
    output_per_mtok: Decimal
    cache_read_per_mtok: Decimal | None = None
    cache_write_per_mtok: Decimal | None = None


PriceList = Mapping[str, ModelPrice]
"""By the model's name."""


class PriceMistakes(ValueError):
    """What is wrong with the prices of some models, by the model's name."""

    def __init__(self, of_models: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {text}" for name, text in of_models.items()))
        self.of_models = of_models


def price_list(given: Any) -> PriceList:
    """A price list as people write it. Raises ValueError, PriceMistakes where it can say whose."""
    if not isinstance(given, dict):
        raise ValueError("must map model names to prices")
    prices: dict[str, ModelPrice] = {}
    mistakes: dict[str, str] = {}
    for name, price in given.items():
        try:
            prices[_model_name(name)] = _model_price(price)
        except ValueError as error:
            mistakes[str(name)] = str(error)
    if mistakes:
        raise PriceMistakes(mistakes)
    return prices


def cost(reading: Reading | UsageEntry, price: ModelPrice) -> int | None:
    """Micro-USD; None where the parts of the input are more than the whole."""
    cached, kept = reading.cache_read_tokens, reading.cache_write_tokens
    plain = reading.input_tokens - cached - kept
    if plain < 0:
        return None
    usual = price.input_per_mtok
    return micro_usd(
        (
            plain * usual
            + cached * (usual if price.cache_read_per_mtok is None else price.cache_read_per_mtok)
            + kept * (usual if price.cache_write_per_mtok is None else price.cache_write_per_mtok)
            + reading.output_tokens * price.output_per_mtok
        )
        / _MICRO
    )


def micro_usd(usd: Decimal) -> int | None:
    """Whole micro-dollars, half of one rounded up; None for a sum that the books cannot hold."""
    if not usd.is_finite() or not 0 <= usd <= _MOST / _MICRO:
        return None
    return int((usd * _MICRO).to_integral_value(ROUND_HALF_UP))


def usd_text(micro: int) -> str:
    """`0.012345`: exact, always with six decimals."""
    return f"{micro // 10**6}.{micro % 10**6:06d}"


def spellings(model: str) -> Iterator[str]:
    """`model`, then what it may be called elsewhere: without who serves it, without its date."""
    bare = model.rpartition("/")[2]
    served = bare.partition(":")[2]
    for name in dict.fromkeys((model, bare, served)):
        if name:
            yield name
            if (undated := _DATED.sub("", name)) != name:
                yield undated


def own_price(prices: PriceList, model: str) -> ModelPrice | None:
    """The price on the list under the name, or the nearest spelling of it."""
    return next((prices[name] for name in spellings(model) if name in prices), None)


def _model_name(name: Any) -> str:
    if not isinstance(name, str) or not name:
        raise ValueError(f"{name!r} is not a model's name")
    return name


def _model_price(given: Any) -> ModelPrice:
    known = (*_REQUIRED, *_OPTIONAL)
    if not isinstance(given, dict):
        raise ValueError(f"must have {' and '.join(_REQUIRED)}")
    for key in given:
        if key not in known:
            raise ValueError(f"unknown key {key!r}; known: {', '.join(known)}")
    for key in _REQUIRED:
        if key not in given:
            raise ValueError(f"`{key}` is missing")
    return ModelPrice(**{key: _usd(key, value) for key, value in given.items()})


def _usd(key: str, value: Any) -> Decimal:
    try:
        return usd(value)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from error


def usd(value: Any) -> Decimal:
    """The amount as it is written: 0.1 is a tenth, not the nearest double. Raises ValueError."""
    wanted = f"{value!r} is not an amount of USD such as 3.0"
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(wanted)
    try:
        amount = Decimal(str(value))
    except InvalidOperation as error:
        raise ValueError(wanted) from error
    if not amount.is_finite() or not 0 <= amount <= _DEAREST:
        raise ValueError(wanted)
    return amount
