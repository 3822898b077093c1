"""Starts and updates that go wrong."""

from typing import Any

from tests.integration.faults import scenes
from tests.integration.faults.rows.row import A_MINUTE, ADOPTS, ASKS, GIVES_UP, RUNS, Row
from tests.integration.faults.scenes import both, faulty, unlisted

from subagent_sidecar.testing import FaultKind

HASTY_START = {"start_timeout": "300ms"}


def _lost_start(
    number: str, fault: str, client: str, trouble: scenes.Trouble, **config: str
) -> Row:
    """A start that the server never took."""
    return Row(
        number=number,
        fault=fault,
        client=client,
        at_once="in doubt",
        then=GIVES_UP,
        at_last="error, no runs",
        begin=scenes.a_thread,
        trouble=unlisted(trouble),
        act=scenes.start,
        later=A_MINUTE,
        config=config,
    )


def _taken_start(
    number: str, fault: str, client: str, trouble: scenes.Trouble, **config: str
) -> Row:
    """A start that the server took, and whose answer did not arrive."""
    return Row(
        number=number,
        fault=fault,
        client=client,
        at_once="in doubt",
        then=ADOPTS,
        at_last="live",
        begin=scenes.a_thread,
        trouble=unlisted(trouble),
        act=scenes.start,
        config=config,
    )


def _late_start(number: str, fault: str, trouble: scenes.Trouble) -> Row:
    return Row(
        number=number,
        fault=fault,
        client="200",
        at_once="live",
        then="waits, up to `start_timeout`",
        at_last="live",
        begin=scenes.a_thread,
        trouble=trouble,
        act=scenes.start,
    )


def on_start(kind: FaultKind, **more: Any) -> scenes.Trouble:
    return faulty(kind, "POST", RUNS, **more)


STARTS = [
    Row(
        number="S1",
        fault="nobody listens on the upstream's port",
        client="502 upstream_unreachable",
        at_once="no task",
        then="nothing was sent: the start is released",
        at_last="no task",
        begin=scenes.a_thread,
        trouble=scenes.unreachable,
        act=scenes.start,
    ),
    Row(
        number="S2",
        fault="the server refuses the start (4xx)",
        client="409",
        at_once="no task",
        then="nothing was begun: the start is released",
        at_last="no task",
        begin=scenes.a_thread,
        trouble=on_start(FaultKind.STATUS, status=409, body=b'{"detail":"busy"}'),
        act=scenes.start,
    ),
    _lost_start(
        "S3",
        "the server, or a gateway before it, answers 5xx",
        "503",
        on_start(FaultKind.STATUS),
    ),
    _lost_start(
        "S4",
        "the connection is reset before the server looks at the start",
        "502 upstream_broken",
        on_start(FaultKind.RESET),
    ),
    _lost_start(
        "S5",
        "the server hangs before it looks at the start",
        "504 upstream_timeout",
        on_start(FaultKind.HANG),
        **HASTY_START,
    ),
    _lost_start(
        "S6",
        "the answer is not HTTP",
        "502 upstream_broken",
        on_start(FaultKind.GARBAGE, body=b"\x16\x03\x01 not HTTP"),
    ),
    _taken_start(
        "S7",
        "the connection is reset after the server took the start",
        "502 upstream_broken",
        on_start(FaultKind.RESET_AFTER),
    ),
    _taken_start(
        "S8",
        "the server hangs after it took the start",
        "504 upstream_timeout",
        on_start(FaultKind.HANG_AFTER),
        **HASTY_START,
    ),
    Row(
        number="S9",
        fault="the answer breaks off in its body",
        client="502 upstream_broken, or cut off",
        at_once="in doubt, or live",
        then=f"takes the run's id from the answer's head if it was passed on; else {ADOPTS}",
        at_last="live",
        begin=scenes.a_thread,
        trouble=unlisted(on_start(FaultKind.TRUNCATE, keep=10)),
        act=scenes.start,
    ),
    _late_start("S10", "the answer is slow", on_start(FaultKind.DELAY_HEAD, seconds=0.3)),
    _late_start("S11", "the answer's body is slow", on_start(FaultKind.DELAY_BODY, seconds=0.3)),
    Row(
        number="S12",
        fault="the thread is made and its answer is lost",
        client="502 upstream_broken",
        at_once="no task",
        then="a thread without a run is no task",
        at_last="no task",
        begin=scenes.nothing,
        trouble=faulty(FaultKind.RESET_AFTER, "POST", "/threads"),
        act=scenes.new_thread,
    ),
    Row(
        number="S13",
        fault="the answer is lost, and the server keeps no request ids (aegra)",
        client="504 upstream_timeout",
        at_once="in doubt",
        then=f"{ASKS} and takes the oldest one made since that nobody else accounts for",
        at_last="live",
        begin=scenes.a_thread,
        trouble=both(on_start(FaultKind.REQUEST_ID_LOST), scenes.answers_lost),
        act=scenes.start,
        config=HASTY_START,
    ),
    Row(
        number="S14",
        fault="the server ignores `multitask_strategy` (aegra): both runs go on",
        client="200",
        at_once="live, 2 runs",
        then="follows both; the newer one is the task's current run",
        at_last="live, 2 runs",
        begin=scenes.a_live_run,
        trouble=on_start(FaultKind.MULTITASK_IGNORED),
        act=scenes.update,
    ),
]
