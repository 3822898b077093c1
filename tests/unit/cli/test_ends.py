"""What an operator is told of tasks that were to be cancelled."""

import csv
import io

import pytest

from subagentctl.client import JsonObject
from subagentctl.ends import ends_csv, ends_table, summary
from subagentctl.look import Look


def end(outcome: str, *, over: bool = False, **more: object) -> JsonObject:
    return {"task_id": "task-1", "outcome": outcome, "over": over, "status": "running", **more}


CANCELLED = end("cancelled", over=True)
TRIED_ON = "The sidecar keeps trying; `subagentctl task ID` tells how it goes."
IN_DOUBT = "What is in doubt was not cancelled: try again in a moment."
WENT_ON = "What went on with a new run is not over: cancel it again."
LOST = "What is lost cannot be asked any more: look at its server."


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        ([CANCELLED, CANCELLED], "2 cancelled."),
        ([CANCELLED, end("already success", over=True)], "1 cancelled, 1 already success."),
        ([end("unconfirmed")], f"1 unconfirmed. {TRIED_ON}"),
        ([end("asked"), end("unreachable")], f"1 asked, 1 unreachable. {TRIED_ON}"),
        ([end("in doubt"), end("in doubt")], f"2 in doubt. {IN_DOUBT}"),
        ([CANCELLED, end("lost")], f"1 cancelled, 1 lost. {LOST}"),
        ([end("went on")], f"1 went on. {WENT_ON}"),
        ([end("in doubt"), end("asked")], f"1 in doubt, 1 asked. {IN_DOUBT} {TRIED_ON}"),
        ([end("a word of a later version")], f"1 a word of a later version. {TRIED_ON}"),
    ],
)
def test_what_is_not_over_is_told_with_what_comes_next(ends: list[JsonObject], told: str) -> None:
    assert summary(ends) == told


def test_no_terminal_obeys_what_a_server_said() -> None:
    evil = end("cancelled", over=True, detail="\x1b]0;mine\x07 \x1b[2J\nnext line \udcff")
    shown = "\n".join(ends_table([evil], {}, Look()))
    assert shown.count("\n") == 1 and "\x1b" not in shown and "\udcff" not in shown
    rows = list(csv.reader(io.StringIO(ends_csv([evil]))))
    assert len(rows) == 2 and "\x1b" not in rows[1][-1]
