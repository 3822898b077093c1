"""Write dashboards/grafana/, all of it."""

import json
from collections.abc import Sequence

from scripts.dashboards import cost, fleet, health, runbooks, trees
from scripts.dashboards.board import Board
from scripts.dashboards.rules import ROOT

FOLDER = ROOT / "dashboards" / "grafana"
BOARDS: Sequence[Board] = (fleet.BOARD, cost.BOARD, trees.BOARD, health.BOARD, runbooks.BOARD)


def files() -> dict[str, str]:
    """What is to stand in the folder, by the names of the files."""
    return {f"{board.uid}.json": written(board) for board in BOARDS}


def written(board: Board) -> str:
    return json.dumps(board.json(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    wanted = files()
    for path in FOLDER.glob("*.json"):
        if path.name not in wanted:
            path.unlink()
    for name, content in wanted.items():
        (FOLDER / name).write_text(content, "utf-8")


if __name__ == "__main__":
    main()
