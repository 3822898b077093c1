"""Server-sent events out of the lines of an answer, as the HTML standard reads them."""

import http.client
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_LONGEST_LINE = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Message:
    """One event. `id` is "" where it has none of its own."""

    id: str
    event: str
    data: str


def messages(readline: Callable[[int], bytes]) -> Iterator[Message]:
    """Each event as soon as the empty line behind it has come; what is cut off is left out.

    Comments (heartbeats) are swallowed.
    """
    fields: dict[str, str] = {}
    while line := _line(readline):
        text = line.rstrip("\r\n")
        if not text:
            if "data" in fields:
                yield Message(fields.get("id", ""), fields.get("event", ""), fields["data"])
            fields = {}
            continue
        name, _, value = text.partition(":")
        value = value.removeprefix(" ")
        if name == "data" and name in fields:
            value = f"{fields[name]}\n{value}"
        fields[name] = value  # a comment is a field without a name


def _line(readline: Callable[[int], bytes]) -> str:
    line = readline(_LONGEST_LINE)
    if len(line) == _LONGEST_LINE:
        raise http.client.HTTPException("a line without end")
    return line.decode("utf-8", "replace")
