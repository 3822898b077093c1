"""What became of a start whose answer never came."""

from datetime import timedelta

import pytest

from subagent_sidecar.core.model import Intent, IntentKind
from subagent_sidecar.core.recovery import Candidate, match, may_release, normalised

NOON = "2026-01-01T12:00:00.000000Z"
INTENT = Intent(
    intent_id="i",
    request_id="mine",
    kind=IntentKind.START,
    upstream="u",
    created_at=NOON,
    session_id="s",
    supervisor="x",
    agent_name="a",
    thread_id="t",
)


def run(run_id: str, created_at: str | None = None, request_id: str | None = None) -> Candidate:
    return Candidate(run_id, created_at, request_id)


BEFORE, AFTER = "2026-01-01T11:59:57+00:00", "2026-01-01T12:00:01+00:00"

# (what the server lists, newest first; run ids on record; the run that is ours)
MATCHES: list[tuple[str, list[Candidate], set[str], str | None]] = [
    ("nothing is listed", [], set(), None),
    ("our request id", [run("r2", AFTER, "other"), run("r1", AFTER, "mine")], set(), "r1"),
    ("our request id, whatever the time", [run("r1", BEFORE, "mine")], set(), "r1"),
    ("our request id, but on record", [run("r1", AFTER, "mine")], {"r1"}, None),
    ("a resent request: the one not on record",
     [run("r2", AFTER, "mine"), run("r1", AFTER, "mine")], {"r2"}, "r1"),
    ("others' ids are believed", [run("r1", AFTER, "other")], set(), None),
    ("one id is enough to believe", [run("r2", AFTER), run("r1", AFTER, "other")], set(), None),
    ("no ids: the only run after", [run("r1", AFTER)], set(), "r1"),
    ("no ids: the oldest of several after",
     [run("r3", AFTER), run("r2", AFTER), run("r1", BEFORE)], set(), "r2"),
    ("no ids: those on record are others'", [run("r2", AFTER), run("r1", AFTER)], {"r1"}, "r2"),
    ("no ids: only older ones", [run("r1", BEFORE)], set(), None),
    ("no ids: a clock up to 2 s behind", [run("r1", "2026-01-01T11:59:58.5Z")], set(), "r1"),
    ("no ids: in another zone", [run("r1", "2026-01-01T14:00:01+02:00")], set(), "r1"),
    ("no ids: earlier in another zone", [run("r1", "2026-01-01T12:30:00+02:00")], set(), None),
    ("no ids, no times", [run("r1")], set(), "r1"),
    ("no ids, a time without a zone", [run("r1", "2025-01-01T00:00:00")], set(), "r1"),
    ("no ids, no time at all", [run("r1", "yesterday")], set(), "r1"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("listed", "known", "expected"), [row[1:] for row in MATCHES], ids=[row[0] for row in MATCHES]
)
def test_the_run_a_start_became(
    listed: list[Candidate], known: set[str], expected: str | None
) -> None:
    found = match(INTENT, listed, known)
    assert (found.run_id if found else None) == expected


RELEASES = [
    ("2026-01-01T12:00:34.999999Z", False),
    ("2026-01-01T12:00:35.000000Z", True),
    ("2026-01-02T00:00:00.000000Z", True),
    ("2026-01-01T11:00:00.000000Z", False),  # the clock was set back
]


@pytest.mark.parametrize(("now", "expected"), RELEASES)
def test_a_start_is_given_up_only_when_it_cannot_be_on_its_way(now: str, expected: bool) -> None:
    assert may_release(INTENT, now, timedelta(seconds=35)) is expected


TIMES = [
    ("2026-01-01T12:00:00Z", NOON),
    ("2026-01-01T12:00:00+00:00", NOON),
    ("2026-01-01T14:00:00.000000+02:00", NOON),
    ("20260101T120000Z", NOON),
    ("2026-01-01T12:00:00", None),
    ("2026-01-01", None),
    ("", None),
    ("now", None),
    ("0001-01-01T00:00:00+01:00", None),  # before the first year
    ("9999-12-31T23:59:59-01:00", None),
]


@pytest.mark.parametrize(("text", "expected"), TIMES)
def test_a_servers_time_becomes_ours(text: str, expected: str | None) -> None:
    assert normalised(text) == expected
