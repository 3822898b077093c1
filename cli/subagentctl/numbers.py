"""The numbers of rules, as people read them."""

from typing import Any

from subagentctl.when import span


def usd(text: Any) -> str:
    """`$1,234.50`: at least the cents, and what is exact beyond them."""
    whole, _, rest = str(text).partition(".")
    head = f"{int(whole):,}" if whole.isascii() and whole.isdigit() else whole
    return f"${head}.{rest[:2].ljust(2, '0')}{rest[2:].rstrip('0')}"


def number(what: str, value: Any) -> str:
    """One amount of what a rule counts."""
    match what:
        case "micro_usd":
            return usd(value)
        case "run_time" if isinstance(value, int | float):
            return span(value)
        case _ if isinstance(value, int | float):
            return f"{value:,}"
        case _:
            return str(value)


def of_limit(what: str, current: Any, limit: Any) -> str:
    """`3 of 5`; nothing where nothing is counted."""
    if current is None or limit is None or what in ("deny", "frozen", "key"):
        return ""
    return f"{number(what, current)} of {number(what, limit)}"
