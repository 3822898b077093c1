"""Messages whose model had no price when they were read: found by an index that holds no others."""

from collections.abc import Sequence

from ..core.model import UsageEntry
from .driver import sqlite3
from .rows import USAGE

Place = tuple[str, str]
"""A task's id and a message's."""

_MODELS = """
    WITH RECURSIVE found(model) AS (
        SELECT min(model) FROM usage WHERE cost_micro_usd IS NULL AND model > :after
        UNION ALL
        SELECT (SELECT min(model) FROM usage WHERE cost_micro_usd IS NULL AND model > found.model)
        FROM found WHERE found.model IS NOT NULL
    )
    SELECT model FROM found WHERE model IS NOT NULL LIMIT :limit
"""
"""One step in the index for each model, however many messages it has."""

_ENTRIES = USAGE.select(
    "WHERE cost_micro_usd IS NULL AND model = ? AND (task_id, message_id) > (?, ?) "
    "ORDER BY task_id, message_id LIMIT ?"
)


def unpriced_models(conn: sqlite3.Connection, after: str, limit: int) -> Sequence[str]:
    """See ports.Store.unpriced_models."""
    rows = conn.execute(_MODELS, {"after": after, "limit": limit}).fetchall()
    return [model for (model,) in rows]


def unpriced(
    conn: sqlite3.Connection, model: str, after: Place | None, limit: int
) -> Sequence[UsageEntry]:
    """See ports.Store.unpriced."""
    rows = conn.execute(_ENTRIES, (model, *(after or ("", "")), limit)).fetchall()
    return [USAGE.read(row) for row in rows]
