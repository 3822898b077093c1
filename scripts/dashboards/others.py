"""Traces of others, as they come by: a row of the dashboard of the sidecar's health."""

from scripts.dashboards.board import Row
from scripts.dashboards.kinds import colored, graph
from scripts.dashboards.panels import BYTES, GREEN, PER_SECOND, RED, Query
from scripts.dashboards.queries import largest, rate

from subagent_sidecar.core.metrics import instruments as of


def others() -> Row:
    return Row(
        title="Traces of others",
        panels=[
            graph(
                "Their spans",
                "What was done with them. `sent`: the endpoint has taken them.",
                Query(expr=rate(of.OTLP_SPANS, "result"), legend="{{result}}"),
                Query(expr=rate(of.OTLP_HELD), legend="had to wait"),
                Query(expr=rate(of.OTLP_SENT), legend="sent"),
                unit=PER_SECOND,
                overrides=colored(rehomed=GREEN),
            ),
            graph(
                "Spans lost",
                "By why. `no_endpoint`: there is nowhere to send them on to.",
                Query(expr=rate(of.OTLP_DROPPED, "reason"), legend="{{reason}}"),
                unit=PER_SECOND,
                overrides=colored(refused=RED, shutdown=RED),
            ),
            graph(
                "Told to come again, and sent in vain",
                "Requests of emitters while the buffer is full, and attempts that the endpoint did "
                "not take.",
                Query(expr=rate(of.OTLP_TURNED_AWAY), legend="turned away"),
                Query(expr=rate(of.OTLP_FAILURES), legend="in vain"),
                unit=PER_SECOND,
            ),
            graph(
                "Spans that wait",
                "Until it is known whose they are.",
                Query(expr=largest(of.OTLP_HELD_NOW), legend="spans"),
            ),
            graph(
                "The buffer",
                "What is held, waits to be sent on, or to be gone through: at most `otlp_buffer`.",
                Query(expr=largest(of.OTLP_BUFFER), legend="bytes"),
                unit=BYTES,
            ),
        ],
    )
