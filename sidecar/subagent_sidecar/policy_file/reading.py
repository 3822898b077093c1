"""One document -> one policy, with every problem that the document alone can have."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from ..core.policy import Mode, Policy, Rule
from ..core.prices import ModelPrice
from . import keys
from .fields import Source
from .kinds import shown
from .rules import Placed, Written, budget, lifecycle, limit

T = TypeVar("T", bound=Rule)
Build = Callable[[Written, str, Mode], T | None]


class Reader:
    """Reads what `source` holds. `policy` is the name that its rules carry."""

    def __init__(self, source: Source, policy: str) -> None:
        self._source = source
        self._policy = policy
        self._mode = Mode.ENFORCE
        self.placed: list[Placed] = []

    def read(self) -> Policy:
        """What could be read; it is worth something only while the source has no problems."""
        data = self._source.document.data
        if not isinstance(data, dict):
            text = "is empty" if data is None else f"must be a mapping, not {shown(data)}"
            self._source.wrong("", f"{text}; a policy begins with `version: 1`")
            return Policy()
        top = self._source.mapping("", data, keys.TOP, *keys.SECTIONS)
        if "version" not in data:
            self._source.wrong("", "`version` is missing; a policy begins with `version: 1`")
        self._mode = top.get("mode", Mode.ENFORCE)
        return Policy(
            limits=tuple(self._rules("limits", data, limit)),
            budgets=tuple(self._rules("budgets", data, budget)),
            lifecycle=tuple(self._rules("lifecycle", data, lifecycle)),
            coalesce=self._polling(data).get("coalesce"),
            on_store_error=top.get("on_store_error"),
            prices=self._prices(data.get("prices")),
        )

    def _rules(self, section: str, data: Mapping[str, Any], build: Build[T]) -> Iterator[T]:
        for at, item in self._source.items(section, data.get(section)):
            rule = build(Written(self._source, section, at, item), self._policy, self._mode)
            if rule is not None:
                self.placed.append(Placed(rule, self._source, at))
                yield rule

    def _polling(self, data: Mapping[str, Any]) -> dict[str, Any]:
        given = data.get("polling")
        wanted = "a mapping such as {coalesce: 250ms}"
        if "polling" not in data or not self._source.is_mapping("polling", given, wanted):
            return {}
        return self._source.mapping("polling", given, keys.POLLING)

    def _prices(self, given: Any) -> dict[str, ModelPrice]:
        if given is None or given == {}:
            return {}
        wanted = "a mapping of models to prices"
        if not self._source.is_mapping("prices", given, wanted):
            return {}
        read = {name: self._price(name, price) for name, price in given.items()}
        return {name: price for name, price in read.items() if price is not None}

    def _price(self, name: Any, given: Any) -> ModelPrice | None:
        at, before = f"prices.{name}", self._source.count
        if not isinstance(name, str) or not name:
            self._source.wrong(at, f"{shown(name)} is not a model's name; quote what is not a text")
        wanted = " and ".join(f"`{key}`" for key in keys.PRICE_REQUIRED)
        if not self._source.is_mapping(at, given, f"a mapping with {wanted}"):
            return None
        values = self._source.mapping(at, given, keys.PRICE)
        for key in keys.PRICE_REQUIRED:
            if key not in given:
                self._source.wrong(at, f"`{key}` is missing")
        return ModelPrice(**values) if self._source.count == before else None
