"""The list prices of models, from the data that the `genai-prices` package ships.

Importing this module costs about 0.4 s of CPU and 15 MB (where Python cannot keep its bytecode,
25 MB, and a fifth of a second in which nothing else runs), so nobody does before the first message
whose model the operator gave no price for. It asks no network: the package can fetch newer prices,
but only when told to.
"""

from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from itertools import count

from genai_prices.data import providers
from genai_prices.data_snapshot import DataSnapshot, find_provider_by_id
from genai_prices.types import ModelInfo, Provider, Usage

from .core.prices import spellings
from .core.usage import Reading

_KNOWN_MODELS = 1_000
_LOOKUPS = 5_000
_GATEWAY = "litellm"
"""It passes models of others on, and says whose they are in their names."""


class _Catalogue:
    """The package's own look-up, begun anew before its memory of names that it did not find,
    which come from servers, grows large."""

    def __init__(self) -> None:
        self._looked = count(1)
        self._snapshot = self._new()

    def _new(self) -> DataSnapshot:
        return DataSnapshot(providers=providers, from_auto_update=False)

    def find(self, provider: str | None, model: str) -> tuple[Provider, ModelInfo] | None:
        if next(self._looked) % _LOOKUPS == 0:
            self._snapshot = self._new()
        try:
            return self._snapshot.find_provider_model(model, None, provider, None)
        except LookupError:
            return None


_catalogue = _Catalogue()


@lru_cache(maxsize=_KNOWN_MODELS)
def _find(model: str, provider: str | None) -> tuple[Provider, ModelInfo] | None:
    """Who serves the model, and its prices. A named provider that is not in the catalogue (a
    local server, say) has no list price, whoever else serves a model of that name."""
    if provider == _GATEWAY:
        provider = None
    if provider is not None and find_provider_by_id(providers, provider) is None:
        return None
    for name in spellings(model):
        if (found := _catalogue.find(provider, name)) is not None:
            return found
    server, slash, name = model.partition("/")
    if not slash:
        server, slash, name = model.partition(":")
    if slash and find_provider_by_id(providers, server) is not None:
        return next((f for n in spellings(name) if (f := _catalogue.find(server, n))), None)
    return None


def price(reading: Reading, at: datetime) -> Decimal | None:
    """The USD that the message cost at that time; None where no list price is known."""
    found = _find(reading.model, reading.provider) if reading.model else None
    if found is None:
        return None
    provider, model = found
    rates = model.get_prices(at)
    if rates.input_mtok is None or rates.output_mtok is None:
        return None  # an embedding, say: what it does not price would come out as free
    usage = Usage(
        input_tokens=reading.input_tokens,
        output_tokens=reading.output_tokens,
        cache_read_tokens=reading.cache_read_tokens,
        cache_write_tokens=reading.cache_write_tokens,
        cache_write_1h_tokens=reading.cache_write_1h_tokens,
    )
    try:
        return model.calc_price(usage, provider, genai_request_timestamp=at).total_price
    except (ValueError, ArithmeticError):
        return None  # the parts do not fit the whole
