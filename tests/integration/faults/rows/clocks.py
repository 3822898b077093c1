"""Clocks that are wrong."""

from tests.integration.faults import scenes
from tests.integration.faults.rows.row import A_MINUTE, ADOPTS, Row
from tests.integration.faults.rows.starts import HASTY_START, on_start
from tests.integration.faults.scenes import both, clock_off, unlisted

from subagent_sidecar.testing import FaultKind

AN_HOUR = 3600.0

_LOST_ANSWER = on_start(FaultKind.RESET_AFTER)

CLOCKS = [
    Row(
        number="K1",
        fault="the sidecar's clock is set forward an hour while a start is on its way",
        client="200",
        at_once="live",
        then="may take the start for an old one, and takes the answer all the same",
        at_last="live",
        begin=scenes.a_thread,
        trouble=on_start(FaultKind.DELAY_HEAD, seconds=1.0),
        act=scenes.start_while_the_clock_jumps(AN_HOUR),
    ),
    Row(
        number="K2",
        fault="the sidecar's clock is set back an hour while a start is on its way",
        client="200",
        at_once="live",
        then="nothing: deadlines do not look at the wall clock",
        at_last="live",
        begin=scenes.a_thread,
        trouble=on_start(FaultKind.DELAY_HEAD, seconds=1.0),
        act=scenes.start_while_the_clock_jumps(-AN_HOUR),
    ),
    Row(
        number="K3",
        fault="the sidecar's clock is set back an hour between a start and its update",
        client="200",
        at_once="live, 2 runs",
        then="enters the update after the run it follows",
        at_last="live, 2 runs",
        begin=scenes.a_live_run,
        trouble=clock_off(-AN_HOUR),
        act=scenes.update,
    ),
    Row(
        number="K4",
        fault="the sidecar's clock is set back an hour while a start is in doubt",
        client="502 upstream_broken",
        at_once="in doubt",
        then=ADOPTS,
        at_last="live",
        begin=scenes.a_thread,
        trouble=unlisted(_LOST_ANSWER),
        act=scenes.start,
        later=-AN_HOUR,
    ),
    Row(
        number="K5",
        fault="the server's clock is an hour behind, and the answer to a start is lost",
        client="502 upstream_broken",
        at_once="in doubt",
        then=ADOPTS,
        at_last="live",
        begin=scenes.a_thread,
        trouble=unlisted(both(clock_off(-AN_HOUR, server=True), _LOST_ANSWER)),
        act=scenes.start,
    ),
    Row(
        number="K6",
        fault="the server's clock is an hour ahead, and the answer to a start is lost",
        client="502 upstream_broken",
        at_once="in doubt",
        then=ADOPTS,
        at_last="live",
        begin=scenes.a_thread,
        trouble=unlisted(both(clock_off(AN_HOUR, server=True), _LOST_ANSWER)),
        act=scenes.start,
    ),
    Row(
        number="K7",
        fault="the same as S13, and the server's clock is more than 2 s behind",
        client="504 upstream_timeout",
        at_once="in doubt",
        then="takes the run for an older one, and gives the start up: **the run goes on unseen**",
        at_last="error, no runs",
        begin=scenes.a_thread,
        trouble=both(
            clock_off(-AN_HOUR, server=True),
            both(on_start(FaultKind.REQUEST_ID_LOST), scenes.answers_lost),
        ),
        act=scenes.start,
        later=A_MINUTE,
        config=HASTY_START,
        blind=True,
    ),
]
