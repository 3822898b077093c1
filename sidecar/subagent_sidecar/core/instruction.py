"""What a run is asked to do, of which starts are known to be alike."""

import json
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from .storable import storable

_BEGINNING = 200
_DIGEST = 8
"""Bytes. Among a million instructions there is hardly a chance that two have the same by accident;
and whoever wants two alike may well send the same text twice."""


def read(contents: Sequence[Any]) -> tuple[str | None, str | None]:
    """The beginning of the last message that has any text, its words with one space between them:
    enough of it to know it by, a task's purpose; and the fingerprint of all of it: 16 hex digits,
    equal for equal instructions. `contents` are those of messages."""
    for content in reversed(contents):
        if text := content if isinstance(content, str) else _text(content):
            words = " ".join(text.split())
            return storable(words[:_BEGINNING]), _fingerprint(words, content)
    return None, None


def contents(given: Any) -> Sequence[Any]:
    """What the messages of a run's input hold."""
    messages = given.get("messages") if isinstance(given, dict) else None
    if isinstance(messages, dict):
        messages = [messages]
    if not isinstance(messages, list):
        return ()
    return [each.get("content") if isinstance(each, dict) else None for each in messages]


def _fingerprint(words: str, content: Any) -> str | None:
    if not words:
        return None
    digest = blake2b(words.encode("utf-8", "surrogatepass"), digest_size=_DIGEST)
    if isinstance(content, list) and (others := [part for part in content if not _is_text(part)]):
        try:  # a picture belongs to what is asked
            digest.update(b"\0" + json.dumps(others, sort_keys=True).encode())
        except RecursionError:
            return None
    return digest.hexdigest()


def _text(content: Any) -> str | None:
    if isinstance(content, list):
        return " ".join(part["text"] for part in content if _is_text(part))
    return None


def _is_text(part: Any) -> bool:
    return isinstance(part, dict) and isinstance(part.get("text"), str)
