"""Polls that tell nothing, or something untrue."""

from typing import Any

from tests.integration.faults import scenes
from tests.integration.faults.rows.row import RUN, Row
from tests.integration.faults.scenes import faulty, told_instead

from subagent_sidecar.testing import FaultKind

_HASTY_POLL = {"answer_timeout": "300ms"}


def _troubled_poll(
    number: str, fault: str, client: str, trouble: scenes.Trouble, **config: str
) -> Row:
    """A poll that tells nothing of a run that goes on."""
    return Row(
        number=number,
        fault=fault,
        client=client,
        at_once="live",
        then="keeps the last known status and asks again by itself",
        at_last="live",
        begin=scenes.a_live_run,
        trouble=trouble,
        act=scenes.check,
        config=config,
    )


def _lost_run(number: str, fault: str, trouble: scenes.Trouble) -> Row:
    return Row(
        number=number,
        fault=f"{fault} (a crash undid its last seconds)",
        client="404",
        at_once="live",
        then="asks again for 5 s, while the server answers other questions: then it is lost",
        at_last="cancelled, server lost",
        begin=scenes.a_live_run,
        trouble=trouble,
        act=scenes.check,
    )


def _on_poll(kind: FaultKind, **more: Any) -> scenes.Trouble:
    return faulty(kind, "GET", RUN, **more)


POLLS = [
    _troubled_poll("P1", "5xx", "503", _on_poll(FaultKind.STATUS)),
    _troubled_poll(
        "P2", "the connection is reset", "502 upstream_broken", _on_poll(FaultKind.RESET)
    ),
    _troubled_poll(
        "P3",
        "the server hangs",
        "504 upstream_timeout",
        _on_poll(FaultKind.HANG),
        **_HASTY_POLL,
    ),
    _troubled_poll(
        "P4",
        "the answer is not HTTP",
        "502 upstream_broken",
        _on_poll(FaultKind.GARBAGE, body=b"\x16\x03\x01 not HTTP"),
    ),
    _troubled_poll(
        "P5",
        "the answer breaks off",
        "502 upstream_broken, or cut off",
        _on_poll(FaultKind.TRUNCATE, keep=10),
    ),
    _troubled_poll("P6", "the answer is slow", "200", _on_poll(FaultKind.DELAY_HEAD, seconds=0.3)),
    _troubled_poll("P7", "the status is a word nobody knows", "200", told_instead("contemplating")),
    Row(
        number="P8",
        fault="the upstream is down",
        client="502 upstream_unreachable",
        at_once="live, unknown",
        then="keeps the last known status, asks with back-off, and finds it well again by itself",
        at_last="live",
        begin=scenes.a_live_run,
        trouble=scenes.unreachable,
        act=scenes.check,
    ),
    Row(
        number="P9",
        fault="an old answer says `running` after the end",
        client="200",
        at_once="success",
        then="nothing: the first end seen is the end",
        at_last="success",
        begin=scenes.a_finished_run,
        trouble=told_instead("running"),
        act=scenes.check,
    ),
    Row(
        number="P10",
        fault="a finished run is told as `cancelled` (self-hosted servers, after a late cancel)",
        client="200",
        at_once="success",
        then="nothing: the first end seen is the end",
        at_last="success",
        begin=scenes.a_finished_run,
        trouble=told_instead("cancelled"),
        act=scenes.check,
    ),
    _lost_run("P11", "the server has lost the thread", scenes.forgotten("thread")),
    _lost_run("P12", "the server has lost the run", scenes.forgotten("run")),
]
