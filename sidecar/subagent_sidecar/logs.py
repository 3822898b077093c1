"""Logging: one sentence, a stable `action`, ids. As text for people or JSON for machines."""

import json
import logging
from datetime import UTC, datetime
from time import gmtime

from .redaction import scrubbed

_FIELDS = ("action", "task_id", "run_id", "upstream", "request_id")


class TextFormatter(logging.Formatter):
    """One line a record, in UTC as all times that are shown. What callers put into names cannot
    forge a line or move the cursor."""

    converter = staticmethod(gmtime)
    default_msec_format = "%s.%03dZ"

    def formatMessage(self, record: logging.LogRecord) -> str:
        shown = (char if char.isprintable() else repr(char)[1:-1] for char in record.message)
        record.message = "".join(shown)
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        return scrubbed(super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "message": scrubbed(record.getMessage()),
            **{name: getattr(record, name) for name in _FIELDS if hasattr(record, name)},
        }
        if record.exc_info:
            line["exception"] = scrubbed(self.formatException(record.exc_info))
        return json.dumps(line)


def set_up(*, level: str, form: str) -> None:
    """Log to stderr. aiohttp's own words about malformed requests are left out: they quote the
    request, credentials included."""
    handler = logging.StreamHandler()
    if form == "json":
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(TextFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in ("aiohttp.server", "aiohttp.access", "aiohttp.web"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
