"""Links in Markdown, and which of them lead nowhere."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from tests.docs.repository import prose

_INLINE_CODE = re.compile(r"`+[^`]*`+")
_LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s*<?([^\s>]+)>?", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
_OUTSIDE = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def broken_links(page: Path) -> list[str]:
    """The internal links of `page` whose file or heading does not exist."""
    return [link for link in _internal(page) if not _leads_somewhere(page, link)]


def _internal(page: Path) -> Iterator[str]:
    text = _INLINE_CODE.sub("", prose(page.read_text(encoding="utf-8")))
    for found in _LINK.finditer(text):
        link = found[1] or found[2]
        if not _OUTSIDE.match(link):
            yield link


def _leads_somewhere(page: Path, link: str) -> bool:
    name, _, anchor = unquote(link).partition("#")
    target = page.parent / name if name else page
    if not target.exists():
        return False
    return not anchor or (target.suffix == ".md" and anchor in anchors(target))


def anchors(page: Path) -> set[str]:
    """The anchors that hosting sites make of the headings of `page`."""
    found: set[str] = set()
    for heading in _HEADING.findall(prose(page.read_text(encoding="utf-8"))):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        count = sum(1 for known in found if re.fullmatch(rf"{re.escape(slug)}(-\d+)?", known))
        found.add(f"{slug}-{count}" if count else slug)
    return found
