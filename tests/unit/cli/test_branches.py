"""Records as a tree."""

from subagentctl.branches import branches
from subagentctl.look import Look

Node = tuple[str, str]


def drawn(*nodes: Node, unicode: bool = True) -> list[str]:
    found = branches(
        nodes, key=lambda node: node[0], parent=lambda node: node[1], look=Look(unicode=unicode)
    )
    return [f"{branch.head}{branch.record[0]}" for branch in found]


FAMILY = (("a", ""), ("b", "a"), ("c", "b"), ("d", "a"), ("e", "d"), ("f", ""))


def test_children_stand_under_their_parents_in_order() -> None:
    assert drawn(*FAMILY) == ["a", "├ b", "│ └ c", "└ d", "  └ e", "f"]


def test_it_can_be_drawn_in_ascii() -> None:
    assert drawn(*FAMILY, unicode=False) == ["a", "+ b", "| \\ c", "\\ d", "  \\ e", "f"]


def test_an_orphan_stands_at_the_top() -> None:
    assert drawn(("b", "gone"), ("c", "b")) == ["b", "└ c"]


def test_circles_are_drawn_once() -> None:
    assert drawn(("a", "b"), ("b", "a"), ("c", "c")) == ["a", "└ b", "c"]


def test_very_deep_ones_say_how_deep_they_are_instead_of_leaving_the_screen() -> None:
    chain = [("0", "")] + [(str(depth), str(depth - 1)) for depth in range(1, 5_000)]
    found = drawn(*chain)
    assert found[6:8] == ["          └ 6", "            └7 7"]
    assert found[-1] == "            └4999 4999"
