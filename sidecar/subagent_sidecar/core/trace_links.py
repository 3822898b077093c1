"""Links to a trace in whatever shows traces: URLs with places to fill in.

What is filled in is percent-encoded, so that no id, of whatever client's making, can change where
a link leads.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from .model import TaskRecord
from .trace_ids import current_span, trace_of

PLACES = ("trace_id", "span_id", "task_id", "session_id")
"""What a template may have in braces."""

TraceLinks = Mapping[str, str]
"""Templates by the names that people are shown."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_. -]{0,31}")
_PLACE = re.compile(r"\{([^{}]*)\}")
_MOST = 16
_LONGEST = 2_000


class LinkMistakes(ValueError):
    """What is wrong with some links, by the link's name."""

    def __init__(self, of_links: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {text}" for name, text in of_links.items()))
        self.of_links = of_links


def trace_links(given: Any) -> TraceLinks:
    """Templates as people write them. Raises ValueError, LinkMistakes."""
    if not isinstance(given, dict):
        raise ValueError("must map names such as jaeger to URLs that hold {trace_id}")
    if len(given) > _MOST:
        raise ValueError(f"at most {_MOST} links")
    wrong = {str(name): said for name, url in given.items() if (said := _wrong(name, url))}
    if wrong:
        raise LinkMistakes(wrong)
    return {str(name): url for name, url in given.items()}


def filled(links: TraceLinks, record: TaskRecord) -> dict[str, str]:
    """The links of a task."""
    task = record.task
    values = {
        "trace_id": trace_of(task),
        "span_id": current_span(record),
        "task_id": task.task_id,
        "session_id": task.session_id,
    }
    encoded = {key: quote(text.encode("utf-8", "replace"), safe="") for key, text in values.items()}
    return {name: _PLACE.sub(lambda found: encoded[found[1]], url) for name, url in links.items()}


def _wrong(name: Any, url: Any) -> str | None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return "a name has letters, digits, spaces, '_', '.', '-' and at most 32 of them"
    if not isinstance(url, str):
        return "must be a URL such as http://localhost:16686/trace/{trace_id}"
    return _wrong_places(url) or _wrong_url(url)


def _wrong_places(url: str) -> str | None:
    places = _PLACE.findall(url)
    known = ", ".join(f"{{{place}}}" for place in PLACES)
    for place in places:
        if place not in PLACES:
            return (
                f"{{{place}}} is not known; there are: {known}. Other braces are written %7B, %7D"
            )
    if not places:
        return f"holds none of {known}, so it would be the same for every task"
    if re.search(r"[{}]", _PLACE.sub("", url)):
        return "has a brace without its other half; write braces of the URL itself as %7B, %7D"
    return None


def _wrong_url(url: str) -> str | None:
    if len(url) > _LONGEST:
        return f"is longer than {_LONGEST:,} characters"
    if not url.isascii() or any(ord(char) <= 32 or ord(char) == 127 for char in url):
        return "must be ASCII without spaces (percent-encode the rest)"
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        return f"is not a URL ({error})"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "must begin with http:// or https:// and a host"
    if "{" in parts.netloc:
        return "may have nothing in braces in its host: ids are made by clients"
    if parts.username is not None or parts.password is not None:
        return "must not hold credentials: it is shown to whoever asks"
    return None
