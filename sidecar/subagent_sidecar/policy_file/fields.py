"""A document and everything that is found to be wrong with it."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from ..yaml_file import Document
from .keys import AMOUNTS, LIFECYCLE_SETTINGS, LIMIT_KINDS, MATCH, MOST_RULES, SECTIONS, Keys
from .kinds import shown

_HOMES: Mapping[str, str] = {
    **dict.fromkeys(SECTIONS, "the top of the file"),
    **dict.fromkeys(MATCH, "`match`"),
    **dict.fromkeys(LIFECYCLE_SETTINGS, "a rule under `lifecycle`"),
    **dict.fromkeys(LIMIT_KINDS, "a rule under `limits`"),
    **dict.fromkeys(AMOUNTS, "a rule under `budgets`"),
    "coalesce": "`polling`",
}


class Source:
    """Collects problems while its document is read. Nothing it is handed makes it raise."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.names: list[tuple[str, str]] = []
        """(name, place) of every rule that has one."""
        self._found: list[tuple[int, str]] = []

    @property
    def count(self) -> int:
        return len(self._found)

    @property
    def problems(self) -> list[str]:
        """One sentence each, in the order of the lines they are about."""
        return [text for _, text in sorted(self._found, key=lambda found: found[0])]

    def wrong(self, at: str, text: str) -> None:
        self._found.append((self.document.line(at), f"{self.document.where(at)}: {text}"))

    def mapping(self, at: str, given: Any, known: Keys, *others: str) -> dict[str, Any]:
        """The values under `known` keys that could be read; keys in `others` are read elsewhere."""
        values: dict[str, Any] = {}
        for key, value in given.items():
            here = f"{at}.{key}" if at else str(key)
            if key in known:
                try:
                    values[key] = known[key].kind.read(value)
                except ValueError as error:
                    self.wrong(here, str(error))
            elif key not in others:
                self.wrong(here, _unknown(key, [*known, *others]))
        return values

    def is_mapping(self, at: str, given: Any, wanted: str) -> bool:
        """Whether it is one; if not, that is said. An empty one says nothing, and that is wrong."""
        if isinstance(given, dict) and given:
            return True
        self.wrong(at, "is empty" if given in ({}, None) else f"must be {wanted}")
        return False

    def items(self, section: str, given: Any) -> Iterator[tuple[str, Any]]:
        """(place, item) of a list of rules. A key with nothing behind it is an empty list: that is
        what commenting out every rule leaves."""
        if given is None:
            return
        if not isinstance(given, list):
            self.wrong(section, f"must be a list of rules, each behind a `-`, not {shown(given)}")
            return
        if len(given) > MOST_RULES:
            self.wrong(
                section, f"{len(given):,} rules are more than the {MOST_RULES} a file may have"
            )
            return
        for index, item in enumerate(given):
            place = f"{section}[{index}]"
            if isinstance(item, dict):
                yield place, item
            else:
                self.wrong(place, f"must be a rule such as {{name: ..., ...}}, not {shown(item)}")


def _unknown(key: Any, known: list[str]) -> str:
    """What to do about a key that has no place here."""
    listed = f"known here: {', '.join(known)}"
    if not isinstance(key, str):
        return f"is no key; {listed}"
    if key in _HOMES:
        return f"has no meaning here; it belongs to {_HOMES[key]}"
    if close := get_close_matches(key, known, n=1):
        return f"unknown key, did you mean `{close[0]}`? {listed.capitalize()}"
    return f"unknown key; {listed}"
