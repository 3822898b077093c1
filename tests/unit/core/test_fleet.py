"""A week in the life of a fleet: every task that is truly stale or orphaned ends within its bound
plus one sweep, and not one that is well is touched. (`python -m tests.bench.reaper` plays it at the
sweeps of every day.)"""

from tests.support.fleet import Fleet

from subagent_sidecar.core.candidates import Key


def test_what_is_due_is_planned_and_nothing_else() -> None:
    fleet = Fleet(tasks=10_000, days=7, sweep_s=300.0)
    fleet.play()
    assert fleet.wrong == []
    assert fleet.missed == []
    assert len(fleet.made) > 10_000 and fleet.finished > 6_000
    assert fleet.held > 0, "servers were down while tasks were due"
    never = {key.value for key in Key} - {"idle"} - fleet.reaped.keys()
    assert not never, "each kind of end has been needed"
