"""A rule as it is written -> a rule of the core, or the reasons why not."""

from dataclasses import dataclass
from typing import Any

from ..core.matching import ANYTHING, Depth, Match, Scope
from ..core.policy import (
    COUNTED,
    WINDOWED,
    Amounts,
    Budget,
    Lifecycle,
    LifecycleRule,
    Limit,
    LimitKind,
    Mode,
    OnExhausted,
    OnUnpriced,
    Rule,
)
from ..core.prices import usd_text
from . import keys
from .fields import Source
from .kinds import DEEPEST, shown

_FIELDS = {"usd": "micro_usd", "tokens": "tokens", "run_time": "run_time", "runs": "runs"}


@dataclass(frozen=True, slots=True)
class Placed:
    """A rule, and where it stands."""

    rule: Rule
    source: Source
    at: str

    def wrong(self, key: str, text: str) -> None:
        self.source.wrong(f"{self.at}.{key}" if key else self.at, text)


class Written:
    """A rule as it stands in the file: `item` as it was written, `values` what could be read."""

    def __init__(self, source: Source, section: str, at: str, item: Any) -> None:
        self._source = source
        self._section = section
        self._before = source.count
        self.at = at
        self.item = item
        self.values = source.mapping(at, item, keys.RULES[section], *keys.NESTED[section])
        self.match = self._match()
        if "name" in self.values:
            source.names.append((self.values["name"], at))
        elif "name" not in item:
            self.wrong("", "`name` is missing: refusals and reports go by it")

    @property
    def sound(self) -> bool:
        return self._source.count == self._before

    def wrong(self, key: str, text: str) -> None:
        self._source.wrong(f"{self.at}.{key}" if key else self.at, text)

    def empty(self, text: str, choices: keys.Keys) -> None:
        """What makes the rule one is missing; unless it stands behind a key that is misspelt."""
        known = {*keys.RULES[self._section], *keys.NESTED[self._section]}
        if known.issuperset(self.item):
            self.wrong("", f"{text} {', '.join(f'`{key}`' for key in choices)}")

    def said(self, known: keys.Keys) -> list[str]:
        """Which of the keys it has, whatever stands behind them."""
        return [key for key in known if key in self.item]

    def inner(self, key: str, known: keys.Keys, such_as: str) -> dict[str, Any]:
        """The values of the mapping under `key`."""
        at = f"{self.at}.{key}"
        if key not in self.item:
            return {}
        if not self._source.is_mapping(at, self.item[key], f"a mapping such as {such_as}"):
            return {}
        return self._source.mapping(at, self.item[key], known)

    def common(self, policy: str, mode: Mode) -> dict[str, Any]:
        """What every rule has."""
        return {
            "name": self.values["name"],
            "policy": policy,
            "mode": self.values.get("mode", mode),
            "match": self.match,
        }

    def _match(self) -> Match:
        if "match" not in self.item:
            return ANYTHING
        match = Match(**self.inner("match", keys.MATCH, "{agent: coder}"))
        if match.depth is not None and not any(map(match.depth.fits, range(DEEPEST + 1))):
            self.wrong("match.depth", f"{match.depth} fits no depth: 0 is the first one")
        return match


def limit(written: Written, policy: str, mode: Mode) -> Limit | None:
    kinds = written.said(keys.LIMIT_KINDS)
    if not kinds:
        written.empty("limits nothing; give it one of", keys.LIMIT_KINDS)
    elif len(kinds) > 1:
        both = " and ".join(f"`{key}`" for key in kinds)
        written.wrong(kinds[1], f"one rule, one limit: {both} need a rule each")
    else:
        _check_limit(written, LimitKind(kinds[0]))
    if not written.sound or not kinds:
        return None
    kind = LimitKind(kinds[0])
    return Limit(
        **written.common(policy, mode),
        kind=kind,
        most=0 if kind is LimitKind.DENY else written.values[kind.value],
        per=written.values.get("per"),
        window=written.values.get("window"),
        message=written.values.get("message"),
    )


def _check_limit(written: Written, kind: LimitKind) -> None:
    item = written.item
    if kind in COUNTED and "per" not in item:
        scopes = ", ".join(Scope)
        written.wrong("", f"`per` is missing: within what does `{kind}` count? One of {scopes}")
    if kind not in COUNTED and "per" in item:
        written.wrong("per", f"`{kind}` counts nothing, so that there is nothing to count it per")
    if kind not in WINDOWED and "window" in item:
        written.wrong("window", f"only `starts` and `duplicates` have a window, not `{kind}`")
    if kind is LimitKind.DENY and "match" not in item:
        written.wrong(
            "deny",
            'without `match` nothing at all would start; if that is meant, add match: {agent: "*"}',
        )
    depth, most = written.match.depth, written.values.get("depth")
    if depth is not None and most is not None and not _reaches_below(depth, most):
        written.wrong("depth", f"has no effect: `match` lets only {depth} come here")


def _reaches_below(depth: Depth, most: int) -> bool:
    return any(map(depth.fits, range(most + 1, DEEPEST + 2)))


def budget(written: Written, policy: str, mode: Mode) -> Budget | None:
    reserve = written.inner("reserve", keys.RESERVE, "{usd: 0.10}")
    _check_budget(written)
    _check_reserve(written, reserve)
    if not written.sound:
        return None
    values = written.values
    on_unpriced, assumed = _unpriced(values.get("on_unpriced", OnUnpriced.DENY_NEW))
    given = {
        key: values[key]
        for key in ("window", "soft_at", "on_exhausted", "message")
        if key in values
    }
    return Budget(
        **written.common(policy, mode),
        **given,
        per=values["per"],
        limit=_amounts(values),
        reserve=_amounts(reserve),
        on_unpriced=on_unpriced,
        assumed_micro_usd=assumed,
    )


def _amounts(values: dict[str, Any]) -> Amounts:
    return Amounts(**{field: values[key] for key, field in _FIELDS.items() if key in values})


def _unpriced(value: int | str) -> tuple[OnUnpriced, int]:
    if isinstance(value, int):
        return OnUnpriced.ASSUME, value
    return OnUnpriced(value), 0


def _check_budget(written: Written) -> None:
    amounts = written.said(keys.AMOUNTS)
    if "per" not in written.item:
        scopes = ", ".join(Scope)
        written.wrong("", f"`per` is missing: within what is it added up? One of {scopes}")
    if not amounts:
        written.empty("a budget without any amount; give it at least one of", keys.AMOUNTS)
    if written.values.get("on_exhausted") is OnExhausted.CANCEL and amounts == ["runs"]:
        written.wrong(
            "on_exhausted",
            "runs are counted when they start, so that none is ever there to cancel: deny_new",
        )
    if "on_unpriced" in written.item and amounts and "usd" not in amounts:
        written.wrong("on_unpriced", "has no effect: without `usd` no price is asked for")
    assumed, usd = written.values.get("on_unpriced"), written.values.get("usd")
    if isinstance(assumed, int) and usd is not None and assumed > usd:
        written.wrong("on_unpriced", f"one unpriced run would be more than the {usd_text(usd)} USD")


def _check_reserve(written: Written, reserve: dict[str, Any]) -> None:
    for key, value in reserve.items():
        whole = written.values.get(key)
        if key not in written.item:
            written.wrong(f"reserve.{key}", f"has no effect: this budget has no `{key}`")
        elif whole is not None and value > whole:
            given = shown(written.item["reserve"][key])
            written.wrong(
                f"reserve.{key}",
                f"{given} for each run is more than the whole budget: nothing would ever start",
            )


def lifecycle(written: Written, policy: str, mode: Mode) -> LifecycleRule | None:
    said = written.said(keys.LIFECYCLE_SETTINGS)
    if not said:
        written.empty("sets nothing; give it at least one of", keys.LIFECYCLE_SETTINGS)
    if not written.sound:
        return None
    settings = Lifecycle(**{key: written.values[key] for key in said})
    return LifecycleRule(**written.common(policy, mode), settings=settings)
