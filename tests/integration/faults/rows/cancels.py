"""Cancels that are ignored, lied about, lost or too late."""

from typing import Any

from tests.integration.faults import scenes
from tests.integration.faults.rows.row import Row
from tests.integration.faults.scenes import faulty

from subagent_sidecar.testing import FaultKind

_HASTY = {"cancel_verify_for": "50ms"}


def _on_cancel(kind: FaultKind, *, times: int | None = None, **more: Any) -> scenes.Trouble:
    return faulty(kind, "POST", "*/cancel", times=times, **more)


def _failed_cancel(number: str, fault: str, client: str, trouble: scenes.Trouble) -> Row:
    """A cancel that the server never took."""
    return Row(
        number=number,
        fault=fault,
        client=client,
        at_once="live",
        then="nothing: the supervisor was told, and may ask again",
        at_last="live",
        begin=scenes.a_live_run,
        trouble=trouble,
        act=scenes.cancel,
    )


CANCELS = [
    Row(
        number="C1",
        fault="the server answers 202 and ignores the supervisor's cancel",
        client="202",
        at_once="live, cancel unconfirmed",
        then="asks once more after `cancel_verify_for`, says so, and goes on trying with back-off",
        at_last="live, cancel unconfirmed",
        begin=scenes.a_live_run,
        trouble=_on_cancel(FaultKind.CANCEL_IGNORED),
        act=scenes.cancel,
        config=_HASTY,
    ),
    Row(
        number="C2",
        fault="as C1, but the second cancel is obeyed",
        client="202",
        at_once="live, or cancelled",
        then="asks once more after `cancel_verify_for`",
        at_last="cancelled",
        begin=scenes.a_live_run,
        trouble=_on_cancel(FaultKind.CANCEL_IGNORED, times=1),
        act=scenes.cancel,
        config=_HASTY,
    ),
    Row(
        number="C3",
        fault="the server answers 202 and ignores the operator's cancel, twice",
        client="200 cancelled",
        at_once="cancelled",
        then="has the run rolled back (`cancel_rollback`) and tells the operator when it is gone",
        at_last="cancelled",
        begin=scenes.a_live_run,
        trouble=_on_cancel(FaultKind.CANCEL_IGNORED, times=2),
        act=scenes.operators_cancel,
        config=_HASTY,
    ),
    Row(
        number="C4",
        fault="the server answers 202 and ignores every cancel of the operator",
        client="200 unconfirmed",
        at_once="live, cancel unconfirmed",
        then="goes on trying with back-off",
        at_last="live, cancel unconfirmed",
        begin=scenes.a_live_run,
        trouble=_on_cancel(FaultKind.CANCEL_IGNORED),
        act=scenes.operators_cancel,
        config=_HASTY,
    ),
    Row(
        number="C5",
        fault="the server answers 202, calls the run `interrupted`, and the graph runs on",
        client="202",
        at_once="cancelled, cancel unconfirmed",
        then="finds the thread busy and none of its runs live: goes on trying with back-off",
        at_last="cancelled, cancel unconfirmed",
        begin=scenes.a_live_run,
        trouble=_on_cancel(FaultKind.CANCEL_LIES),
        act=scenes.cancel,
        config=_HASTY,
    ),
    Row(
        number="C6",
        fault="the run has finished before the cancel comes (404)",
        client="404",
        at_once="success",
        then="nothing: a result is never overwritten by a late cancel",
        at_last="success",
        begin=scenes.a_finished_run,
        trouble=scenes.no_trouble,
        act=scenes.cancel,
    ),
    Row(
        number="C7",
        fault="the same, and it is the operator who comes late",
        client="200 already success",
        at_once="success",
        then="nothing: tells the operator the true end",
        at_last="success",
        begin=scenes.a_finished_run,
        trouble=scenes.no_trouble,
        act=scenes.operators_cancel,
    ),
    _failed_cancel("C8", "5xx", "503", _on_cancel(FaultKind.STATUS)),
    _failed_cancel(
        "C9",
        "the connection is reset before the server looks at the cancel",
        "502 upstream_broken",
        _on_cancel(FaultKind.RESET),
    ),
    Row(
        number="C10",
        fault="the connection is reset after the server obeyed",
        client="502 upstream_broken",
        at_once="live, or cancelled",
        then="sees the run end by itself",
        at_last="cancelled",
        begin=scenes.a_live_run,
        trouble=_on_cancel(FaultKind.RESET_AFTER),
        act=scenes.cancel,
    ),
    Row(
        number="C11",
        fault="the answer is slow",
        client="202",
        at_once="cancelled",
        then="waits, and confirms the cancel",
        at_last="cancelled",
        begin=scenes.a_live_run,
        trouble=_on_cancel(FaultKind.DELAY_HEAD, seconds=0.3),
        act=scenes.cancel,
    ),
]
