"""Text from elsewhere, made fit for one line of a terminal: harmless, measured, cut."""

import re
import unicodedata

_VARIATION_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_SPACES = re.compile(r"\s+")
_UNSEEN = "\ufffd"
_ID_TAIL = 8
"""Columns an id keeps of its end when cut: heads of ids made together are equal."""


def clean(text: str) -> str:
    """One line, no character that a terminal obeys or that hides what is written.

    White space of any kind becomes one space; other control characters, lone surrogates and
    unassigned code points become U+FFFD; format characters (bidirectional overrides, zero-width
    ones) and variation selectors go, since they make the shown width unknowable.
    """
    if text.isascii() and text.isprintable():
        return text
    text = _SPACES.sub(" ", _VARIATION_SELECTORS.sub("", text))
    if text.isprintable():
        return text
    return "".join(map(_harmless, text))


def _harmless(char: str) -> str:
    if char.isprintable():
        return char
    match unicodedata.category(char):
        case "Cf":
            return ""
        case "Zs" | "Zl" | "Zp":
            return " "
        case _:
            return _UNSEEN


def width(text: str) -> int:
    """Terminal columns that cleaned `text` takes."""
    if text.isascii():
        return len(text)
    return sum(map(_char_width, text))


def _char_width(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me") or "\u1160" <= char <= "\u11ff":
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def cut(text: str, columns: int, ellipsis: str = "…") -> str:
    """`text` in at most `columns`, its end replaced by `ellipsis` when it is longer."""
    if width(text) <= columns:
        return text
    return _head(text, columns - width(ellipsis)) + ellipsis[: max(columns, 0)]


def cut_middle(text: str, columns: int, ellipsis: str = "…") -> str:
    """Like `cut`, for ids: the end stays, and of the head what room there is."""
    if width(text) <= columns:
        return text
    room = columns - width(ellipsis)
    tail = _tail(text, min(_ID_TAIL, room))
    return _head(text, room - width(tail)) + ellipsis[: max(columns, 0)] + tail


def pad(text: str, columns: int, *, right: bool = False) -> str:
    """`text` with spaces up to `columns`; `right` puts them in front."""
    spaces = " " * (columns - width(text))
    return spaces + text if right else text + spaces


def wrap(text: str, columns: int) -> list[str]:
    """Lines of at most `columns`, broken at spaces, and within a word only when it must be."""
    lines = [""]
    for word in text.split(" "):
        candidate = f"{lines[-1]} {word}" if lines[-1] else word
        if width(candidate) <= columns:
            lines[-1] = candidate
            continue
        if lines[-1]:
            lines.append("")
        lines[-1:] = _chunks(word, columns)
    return lines


def _chunks(word: str, columns: int) -> list[str]:
    chunks = []
    while width(word) > columns and len(word) > 1:
        head = _head(word, columns) or word[0]
        chunks.append(head)
        word = word[len(head) :]
    return [*chunks, word]


def _head(text: str, columns: int) -> str:
    used = 0
    for position, char in enumerate(text):
        used += _char_width(char)
        if used > columns:
            return text[:position]
    return text


def _tail(text: str, columns: int) -> str:
    used = 0
    for position in range(len(text), 0, -1):
        used += _char_width(text[position - 1])
        if used > columns:
            return text[position:]
    return text
