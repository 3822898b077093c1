"""Completion push, target by target: a row of the dashboard of the sidecar's health."""

from scripts.dashboards.board import Row
from scripts.dashboards.kinds import graph
from scripts.dashboards.panels import PER_SECOND, Query
from scripts.dashboards.queries import largest, rate

from subagent_sidecar.core.metrics import instruments as of


def pushes() -> Row:
    return Row(
        title="Completion push",
        panels=[
            graph(
                "Ends told, and given up",
                "By target. `given_up`: not taken within a day, or the receiver said that it is "
                "gone. The log says which tasks.",
                Query(expr=rate(of.PUSHED, "target", "result"), legend="{{target}} {{result}}"),
                unit=PER_SECOND,
                alert="SubagentPushesGivenUp",
            ),
            graph(
                "Attempts in vain",
                "By target. They are made again; the log says what the first one failed of.",
                Query(expr=rate(of.PUSH_FAILURES, "target"), legend="{{target}}"),
                unit=PER_SECOND,
            ),
            graph(
                "Ends that wait to be told",
                "By target. It grows while a receiver is down, for a day at most.",
                Query(expr=largest(of.PUSH_WAITING, "target"), legend="{{target}}"),
                alert="SubagentPushesWaiting",
            ),
        ],
    )
