"""How the demo's story looks: who, what they did, folded to the width of the terminal."""

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

WIDEST = 100
_NARROWEST = 60
_WHO = 12
_MARK = 2
_LONGEST_RESULT = 150
_UUID = re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{4}([0-9a-f]{8})\b")

_BOLD, _DIM, _CYAN, _MAGENTA, _GREEN = "1", "2", "36", "35", "32"
_COLOURS = {"you": _BOLD, "supervisor": _CYAN, "sidecar": _MAGENTA}
_PLAIN = str.maketrans({"→": "->", "←": "<-", "…": "...", "─": "-", "▶": ">", "●": "*", "—": "-"})


@dataclass(frozen=True, slots=True)
class Style:
    """What the reader's screen can do."""

    width: int = WIDEST
    colour: bool = False
    plain: bool = False
    bin: str = ""
    """What goes before our commands: where they are, when the shell would not find them."""

    @classmethod
    def of(cls, stream: TextIO) -> "Style":
        """The style for a stream: no colours off a terminal, no arrows where they cannot be."""
        refused = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
        columns = shutil.get_terminal_size((WIDEST, 24)).columns
        return cls(
            width=max(_NARROWEST, min(columns, WIDEST)),
            colour=stream.isatty() and not refused,
            plain=not _can_encode(stream.encoding, "→←…─▶"),
            bin="" if shutil.which("subagentctl") else _beside_python(),
        )

    def paint(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self.colour and text else text

    def finish(self, text: str) -> str:
        return text.translate(_PLAIN) if self.plain else text

    def heading(self, text: str) -> str:
        return self.paint(text, _BOLD)

    def command(self, text: str) -> str:
        """Something to type, as it can be typed here."""
        prompt = "$ " if text.startswith("$ ") else ""
        typed = text.removeprefix(prompt)
        ours = self.bin if typed.startswith("subagent") else ""
        return self.paint(prompt + ours + typed, _GREEN)

    def dim(self, text: str) -> str:
        return self.paint(text, _DIM)

    def said(self, who: str, text: str, *, mark: str = "", dim: bool = False) -> Iterator[str]:
        """One thing somebody said or did: their name, a mark, the text under itself."""
        room = self.width - _WHO - 2 - _MARK
        for number, line in enumerate(_fold(shorten(text), room)):
            name, arrow = ("", "") if number else (who, mark)
            padding = " " * (_WHO - len(name))
            painted = self.paint(name, _COLOURS.get(name, _DIM)) + padding
            yield f"  {painted}{arrow:<{_MARK}}{self.dim(line) if dim else line}".rstrip()

    def event(self, event: Mapping[str, Any]) -> Iterator[str]:
        """An event of the supervisor (see supervisor.py); nothing for those that are only ours."""
        match event["event"]:
            case "call":
                yield ""
                yield from self.said(
                    "supervisor", call_text(event["tool"], event["args"]), mark="→"
                )
            case "result":
                yield from self.said("", cut(event["text"]), mark="←", dim=True)
            case "notice":
                told = f"deepagents reports {event['agent']} {event['task_id']}: {event['status']}"
                yield ""
                yield from self.said("supervisor", told, mark="←", dim=True)
            case "answer":
                yield ""
                yield from self.said("supervisor", event["text"])
            case _:
                return


def call_text(tool: str, args: Mapping[str, Any]) -> str:
    """A tool call as one would write it in Python."""
    return f"{tool}({', '.join(f'{name}={_quoted(value)}' for name, value in args.items())})"


def _quoted(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def shorten(text: str) -> str:
    """The text with every id by its tail, as `subagentctl` shows ids."""
    return _UUID.sub(r"…\1", text)


def cut(text: str) -> str:
    """The beginning of a result, unless it has several lines: a list is worth reading."""
    text = shorten(text)
    if len(text) <= _LONGEST_RESULT or "\n" in text:
        return text
    return text[: _LONGEST_RESULT - 1] + "…"


def _fold(text: str, width: int) -> Iterator[str]:
    for line in text.splitlines() or [""]:
        yield from textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False) or [
            ""
        ]


def _beside_python() -> str:
    """The folder of this interpreter's commands, from here if it is below: `.venv/bin/`."""
    folder = Path(sys.executable).parent
    if not (folder / "subagentctl").exists():
        return ""
    here = Path.cwd()
    return f"{folder.relative_to(here) if folder.is_relative_to(here) else folder}/"


def _can_encode(encoding: str | None, text: str) -> bool:
    try:
        text.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
