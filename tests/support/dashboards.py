"""The dashboards as they are committed, and what their panels ask."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "dashboards" / "grafana"
FILES = sorted(FOLDER.glob("*.json"))

_CHOSEN = {
    "$job": ".*",
    "$upstream": ".*",
    "$agent": ".*",
    "${session:raw}": "",
    "${tree:raw}": "",
    "${trace:raw}": "",
    "$__rate_interval": "1h",
    "$__interval": "1h",
    "$__range": "3h",
}
"""What Grafana puts in the place of variables while all is shown. The spans are long enough for
anything that a test does to be in them."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One query of a panel, or of what is noted on the graphs."""

    board: str
    panel: str
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.board} / {self.panel}: {self.text}"

    @property
    def filled(self) -> str:
        """As it is sent: no variable is left."""
        text = self.text
        for name, value in _CHOSEN.items():
            text = text.replace(name, value)
        assert "$" not in text, text
        return text


def board(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def panels(dashboard: Any) -> Iterator[Any]:
    """All of them, those in collapsed rows included."""
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", ())


def asked() -> list[Asked]:
    """Every query there is."""
    return [each for path in FILES for each in _asked_by(board(path))]


def _asked_by(dashboard: Any) -> Iterator[Asked]:
    uid = dashboard["uid"]
    for panel in panels(dashboard):
        for target in panel.get("targets", ()):
            if target["datasource"]["type"] == "prometheus":
                yield Asked(uid, panel["title"], "promql", target["expr"])
            else:
                yield Asked(uid, panel["title"], "traceql", target["query"])
    for note in dashboard["annotations"]["list"]:
        yield Asked(uid, note["name"], "promql", note["expr"])


PROMQL = [each for each in asked() if each.language == "promql"]
TRACEQL = [each for each in asked() if each.language == "traceql"]
TABLES = [each for each in TRACEQL if each.filled]
"""Those that ask for spans; what is left asks for one trace by its id."""
