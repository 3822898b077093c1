"""What to do about each alert: docs/runbooks.md, where the links of the other dashboards lead."""

import re

from scripts.dashboards.board import Board, Row
from scripts.dashboards.kinds import text
from scripts.dashboards.panels import RUNBOOKS
from scripts.dashboards.rules import alerts, runbooks

_WITH_VALUE = re.compile(r"; \{\{.*?\}\}[^.]*")
"""What an alert tells of its number, when it fires."""

_LINE = 90
"""About how many characters a line of a panel of half the width has."""


def _height(markdown: str) -> int:
    lines = sum(1 + len(line) // _LINE for line in markdown.splitlines())
    return 3 + lines * 2 // 3


def _panels() -> list[tuple[str, str, int]]:
    told = [(name, _headed(name)) for name in alerts()]
    return [(name, markdown, _height(markdown)) for name, markdown in told]


def _headed(name: str) -> str:
    rule = alerts()[name]
    description = _WITH_VALUE.sub("", rule["annotations"]["description"])
    return f"**{rule['labels']['severity']}** · {description}\n\n{runbooks()[name]}"


BOARD = Board(
    uid=RUNBOOKS,
    title="Subagents: runbooks",
    says="What to do about each alert. The same as docs/runbooks.md of the sidecar.",
    rows=[
        Row(
            title="",
            panels=[
                text(name, markdown, width=12, height=height)
                for name, markdown, height in _panels()
            ],
        )
    ],
    refresh="",
    noted=False,
)
