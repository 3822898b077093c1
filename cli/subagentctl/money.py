"""What a task used, as people read it."""

from collections.abc import Callable
from math import floor, isfinite, log10

from subagentctl.fields import Record, count, nested, number, text


def usage_short(task: Record) -> str:
    """`12.4k tok $0.03`; empty when the usage is not known, which is not the same as zero."""
    usage = nested(task, "usage")
    tokens = [number(usage, "input_tokens"), number(usage, "output_tokens")]
    known = [each for each in tokens if each is not None and isfinite(each)]
    parts = [f"{_humane(sum(known))} tok"] if known else []
    return " ".join(parts + _dollars(usage, _rounded))


def sum_short(record: Record) -> str:
    """The same of a record that has the sum itself, in `tokens` and `cost_usd`."""
    tokens = count(record, "tokens")
    parts = [f"{_humane(tokens)} tok"] if tokens else []
    return " ".join(parts + _dollars(record, _rounded))


def usage_long(task: Record) -> str:
    """`12,411 tokens in (9,000 from cache), 803 tokens out, $0.0312, some-model`; empty when the
    usage is not known."""
    usage = nested(task, "usage")
    parts = [
        f"{value:,.0f} {what}{_cached(usage) if key == 'input_tokens' else ''}"
        for key, what in (("input_tokens", "tokens in"), ("output_tokens", "tokens out"))
        if (value := number(usage, key)) is not None and isfinite(value)
    ]
    unpriced = ["cost unknown"] if parts and usage.get("cost_usd", 0) is None else []
    model = text(usage, "model")
    return ", ".join(parts + (_dollars(usage, _precise) or unpriced) + ([model] if model else []))


def _cached(usage: Record) -> str:
    """How much of the input came out of a cache, and how much was put into one."""
    parts = [
        f"{value:,} {what}"
        for key, what in (("cache_read_tokens", "from cache"), ("cache_write_tokens", "into cache"))
        if (value := count(usage, key))
    ]
    return f" ({', '.join(parts)})" if parts else ""


def _humane(tokens: float) -> str:
    for limit, divisor, unit in ((1_000, 1, ""), (999_500, 1_000, "k"), (999.5e6, 1e6, "M")):
        if tokens < limit:
            return f"{_three_digits(tokens / divisor)}{unit}"
    return f"{_three_digits(tokens / 1e9)}G"


def _three_digits(value: float) -> str:
    return f"{value:.0f}" if value >= 99.95 or value == int(value) else f"{value:.1f}"


def _dollars(usage: Record, written: Callable[[float], str]) -> list[str]:
    cost = number(usage, "cost_usd")
    return [written(cost)] if cost is not None and isfinite(cost) else []


def _rounded(cost: float) -> str:
    """Cents, and below them four decimals: `$1.20`, `$0.0042`."""
    if cost == 0 or cost >= 0.01:
        return f"${cost:,.2f}"
    return f"${cost:.4f}" if cost >= 0.0001 else "<$0.0001"


def _precise(cost: float) -> str:
    """At least cents, and four digits that count, to the millionth: `$1.20`, `$0.01473`."""
    if cost == 0:
        return "$0.00"
    if cost < 0.000_001:
        return "<$0.000001"
    decimals = min(6, max(2, 3 - floor(log10(cost))))
    whole, _, fraction = f"{cost:,.{decimals}f}".partition(".")
    return f"${whole}.{fraction.rstrip('0').ljust(2, '0')}"
