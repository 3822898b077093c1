"""What the place that output goes to can show."""

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import click

_STYLES: Mapping[str, Mapping[str, str | bool]] = {
    "pending": {"fg": "yellow"},
    "running": {"fg": "cyan", "bold": True},
    "waiting": {"fg": "magenta", "bold": True},
    "success": {"fg": "green"},
    "error": {"fg": "red"},
    "timeout": {"fg": "red"},
    "cancelled": {"dim": True},
    "head": {"dim": True},
    "dim": {"dim": True},
    "title": {"bold": True},
    "alarm": {"fg": "red", "bold": True},
}
"""Style names, among them every task status, and what `click.style` makes of them."""


@dataclass(frozen=True, slots=True)
class Look:
    """`width` in columns, None when nothing needs to be cut; `unicode` off means ASCII only.

    `redraws` says that what was written can be written over: a terminal, and not a dumb one.
    """

    width: int | None = None
    color: bool = False
    unicode: bool = True
    redraws: bool = False

    @property
    def ellipsis(self) -> str:
        return "…" if self.unicode else "..."

    @property
    def unknown(self) -> str:
        return "—" if self.unicode else "-"

    @property
    def live(self) -> str:
        return "●" if self.unicode else "*"

    @property
    def nested(self) -> str:
        return "└" if self.unicode else "\\"

    def paint(self, text: str, style: str) -> str:
        """`text` in a named style, or as it is where there is no colour or no such style."""
        if not self.color or style not in _STYLES or not text.strip():
            return text
        return click.style(text, **_STYLES[style])  # type: ignore[arg-type]  # a table of keywords


def look_of_stdout(environ: Mapping[str, str] = os.environ) -> Look:
    """Colour on a terminal only (and never with NO_COLOR or TERM=dumb).

    The width is that of the terminal; on a pipe it is COLUMNS, else nothing is cut.
    """
    terminal = sys.stdout.isatty()
    clever = terminal and environ.get("TERM") != "dumb"
    sized = terminal or environ.get("COLUMNS", "").isdigit()
    return Look(
        width=shutil.get_terminal_size().columns if sized else None,
        color=clever and not environ.get("NO_COLOR"),
        unicode=(sys.stdout.encoding or "").lower().replace("-", "").startswith("utf"),
        redraws=clever,
    )
