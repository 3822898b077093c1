"""How long there is no sweep, so that the reaper costs little however much is live."""

_AFTER_WORK = 9.0
"""How many times as long as a sweep took it rests, however slow the machine is."""

_TASKS_A_SECOND = 1_000
"""Live tasks looked at in the long run: some 2 % of a core. With many there are fewer sweeps, not
more work."""

_COMPANY_S = 0.1
_COMPANY_TASKS_A_SECOND = 10_000


def rest_s(interval_s: float, *, took_s: float, live: int) -> float:
    """Seconds to the next sweep when nothing calls for one; the last took `took_s` and looked at
    `live` tasks."""
    return max(interval_s, took_s * _AFTER_WORK, live / _TASKS_A_SECOND)


def company_s(live: int) -> float:
    """Seconds between what calls for a sweep and the sweep: what ends together is looked at
    together. Where parents end all the time, this bounds what their children cost."""
    return max(_COMPANY_S, live / _COMPANY_TASKS_A_SECOND)
