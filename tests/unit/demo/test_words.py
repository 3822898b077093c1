"""The fixed texts say the exact commands, and fit."""

import pytest

from subagent_sidecar.demo import words
from subagent_sidecar.demo.parts import Ports
from subagent_sidecar.demo.render import WIDEST, Style

PORTS = Ports(server=65001, data=65002, admin=65003)


def everything() -> list[str]:
    style = Style()
    parts = (words.SERVER, words.SIDECAR, words.SUPERVISOR)
    return [
        *words.prologue(style),
        *(line for part in parts for line in words.is_ready(style, part, 12.3, PORTS)),
        *words.waiting_for(style, parts, 12.3),
        *words.scene(style, PORTS),
        *words.meanwhile(style),
        *words.before_table(style),
        *words.epilogue(style),
        *words.invitation(style),
        *words.kept_running(style, PORTS),
    ]


def test_no_line_is_wider_than_the_page() -> None:
    assert max(len(line) for line in everything()) <= WIDEST


@pytest.mark.parametrize(
    "needed",
    [
        "subagent-sidecar serve --upstream http://localhost:2024",
        'url="http://127.0.0.1:8460"',
        "subagentctl tasks",
        "subagentctl --server http://127.0.0.1:65003 tasks --all",
        "http://127.0.0.1:65002",
        "http://127.0.0.1:65001",
    ],
)
def test_what_a_newcomer_has_to_type_is_there_in_full(needed: str) -> None:
    assert any(needed in line for line in everything())


def test_the_missing_extra_is_named_as_pip_wants_it() -> None:
    assert 'pip install "subagent-sidecar[demo]"' in words.INSTALL
