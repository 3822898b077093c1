"""A policy in the words of its own language: what a file would say that comes to the same."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from .matching import Match
from .policy import (
    Amounts,
    Budget,
    LifecycleRule,
    Limit,
    LimitKind,
    OnUnpriced,
    Policy,
    Rule,
    set_keys,
)
from .prices import ModelPrice, usd_text
from .units import duration_text

Document = dict[str, Any]


def document(policy: Policy) -> Document:
    """JSON-able; what is not said in the policy is left out, each rule says its mode."""
    found: Document = {
        "version": 1,
        "limits": [_limit(rule) for rule in policy.limits],
        "budgets": [_budget(rule) for rule in policy.budgets],
        "lifecycle": [_lifecycle(rule) for rule in policy.lifecycle],
    }
    if policy.coalesce is not None:
        found["polling"] = {"coalesce": duration_text(policy.coalesce)}
    if policy.on_store_error is not None:
        found["on_store_error"] = policy.on_store_error.value
    if policy.prices:
        found["prices"] = {name: _price(price) for name, price in policy.prices.items()}
    return found


def _limit(rule: Limit) -> Document:
    most = True if rule.kind is LimitKind.DENY else rule.most
    return _said(
        **_head(rule),
        **{rule.kind.value: most},
        per=rule.per,
        window=rule.window,
        message=rule.message,
    )


def _budget(rule: Budget) -> Document:
    return _said(
        **_head(rule),
        **_amounts(rule.limit),
        per=rule.per,
        window=rule.window,
        reserve=_amounts(rule.reserve) or None,
        soft_at=float(rule.soft_at),
        on_exhausted=rule.on_exhausted,
        on_unpriced=_unpriced(rule),
        message=rule.message,
    )


def _unpriced(rule: Budget) -> str | None:
    if rule.limit.micro_usd is None:
        return None
    if rule.on_unpriced is OnUnpriced.ASSUME:
        return f"assume:{usd_text(rule.assumed_micro_usd)}"
    return rule.on_unpriced.value


def _amounts(amounts: Amounts) -> Document:
    usd = None if amounts.micro_usd is None else usd_text(amounts.micro_usd)
    return _said(usd=usd, tokens=amounts.tokens, run_time=amounts.run_time, runs=amounts.runs)


def _lifecycle(rule: LifecycleRule) -> Document:
    return _said(**_head(rule), **dict(set_keys(rule.settings)))


def _head(rule: Rule) -> Document:
    return {"name": rule.name, "mode": rule.mode, "match": _match(rule.match) or None}


def _match(match: Match) -> Document:
    globs = {
        key: [glob.text for glob in getattr(match, key)]
        for key in ("agent", "upstream", "supervisor", "session")
    }
    found: Document = {key: texts for key, texts in globs.items() if texts}
    if match.depth is not None:
        found["depth"] = str(match.depth)
    return found


def _price(price: ModelPrice) -> Mapping[str, str]:
    return _said(
        input_per_mtok=price.input_per_mtok,
        output_per_mtok=price.output_per_mtok,
        cache_read_per_mtok=price.cache_read_per_mtok,
        cache_write_per_mtok=price.cache_write_per_mtok,
    )


def _said(**values: Any) -> Document:
    """What is not None, as JSON knows it."""
    return {key: plain(value) for key, value in values.items() if value is not None}


def plain(value: Any) -> Any:
    """As JSON knows it: durations as they are written, words as text."""
    match value:
        case timedelta():
            return duration_text(value)
        case Decimal():
            return format(value, "f")
        case str():
            return str(value)
        case _:
            return value
