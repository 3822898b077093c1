"""How the sidecar itself does, and the servers behind it."""

from scripts.dashboards.board import JOB, METRICS, UPSTREAM, Board, Row
from scripts.dashboards.inside import MINE, processes, record, tracing
from scripts.dashboards.kinds import (
    colored,
    graph,
    stat,
    states,
)
from scripts.dashboards.others import others
from scripts.dashboards.panels import (
    GREEN,
    ORANGE,
    PER_SECOND,
    RATIO,
    RED,
    SECONDS,
    Query,
    orange_from,
    red_as,
    red_from,
)
from scripts.dashboards.pushes import pushes
from scripts.dashboards.queries import (
    largest,
    or_zero,
    quantile,
    rate,
    series,
    total,
)

from subagent_sidecar.core.metrics import instruments as of

_UP = {0: ("down", RED), 1: ("up", GREEN)}


def now() -> Row:
    return Row(
        title="Now: all of this should be green",
        panels=[
            stat(
                "Sidecars that cannot be scraped",
                "Supervisors that go through them may reach nothing.",
                or_zero(f"count(up{MINE} == 0)"),
                steps=red_from(1),
                alert="SubagentSidecarDown",
            ),
            stat(
                "Upstreams down",
                "Agent servers that take no connections, or do not answer the watcher.",
                or_zero(f"count({largest(of.UPSTREAM_UP, 'job', 'upstream')} == 0)"),
                steps=red_from(1),
                alert="SubagentUpstreamDown",
            ),
            stat(
                "Watcher is late by",
                "Its most overdue question. The ends of tasks are not seen while it is late.",
                largest(of.WATCHER_LAG),
                unit=SECONDS,
                steps=red_as("SubagentNotPolling"),
                alert="SubagentNotPolling",
            ),
            stat(
                "Records that cannot be read",
                "Sidecars whose store does not answer. Starts are refused, or pass unrecorded "
                "with `fail_open`.",
                or_zero(f"count({series(of.STORE_UP)} == 0)"),
                steps=red_from(1),
                alert="SubagentStoreUnreadable",
            ),
            stat(
                "Changes not on record yet",
                "A crash would lose them.",
                largest(of.UNRECORDED),
                steps=red_as("SubagentRecordsWaiting"),
                alert="SubagentRecordsWaiting",
            ),
            stat(
                "Changes given up",
                "In the last hour: the record lacks something that happened. The log says what.",
                or_zero(total(of.DROPPED, over="1h")),
                steps=red_from(1),
                alert="SubagentRecordsDropped",
            ),
            stat(
                "Policy files with mistakes",
                "Sidecars whose last reload failed: what was in force before still is. "
                "`subagentctl policy show` says why.",
                or_zero(f"count({series(of.POLICY_RELOAD_FAILED)} == 1)"),
                steps=red_from(1),
                alert="SubagentPolicyReloadFailed",
            ),
            stat(
                "Spans dropped",
                "In the last hour: traces lack something. What waits for an endpoint that is down "
                "is not among them.",
                or_zero(total(of.TRACE_SPANS, over="1h", result="dropped")),
                steps=orange_from(1),
                alert="SubagentSpansDropped",
            ),
        ],
    )


def requests() -> Row:
    return Row(
        title="Requests of supervisors",
        panels=[
            graph(
                "Requests, by what they are",
                "`check`: polls. `own`: answered here and by no upstream.",
                Query(expr=rate(of.PROXY_REQUESTS, "kind"), legend="{{kind}}"),
                unit=PER_SECOND,
                stacked=True,
            ),
            graph(
                "Answers, by code",
                "4xx include refusals; 5xx are the upstream's, or ours where it does not answer.",
                Query(expr=rate(of.PROXY_REQUESTS, "code"), legend="{{code}}"),
                unit=PER_SECOND,
                overrides=colored(**{"2xx": GREEN, "4xx": ORANGE, "5xx": RED}),
                alert="SubagentUpstreamDown",
            ),
            graph(
                "Added by the sidecar, 95 %",
                "From the head of a request to the last byte of its answer, less the wait for the "
                "upstream. For a start that includes being put on record: see *Transactions*.",
                Query(expr=quantile(0.95, of.PROXY_OVERHEAD, "kind"), legend="{{kind}}"),
                unit=SECONDS,
            ),
            graph(
                "Open streams",
                "Answers that are being passed on in pieces, and WebSockets.",
                Query(expr=total(of.PROXY_STREAMS, "kind"), legend="{{kind}}"),
            ),
            graph(
                "Polls that shared an answer",
                "Of all polls. High: supervisors ask more often than anything changes.",
                Query(
                    expr=f"{rate(of.PROXY_SHARED)} / ({rate(of.PROXY_REQUESTS, kind='check')} > 0)",
                    legend="shared",
                ),
                unit=RATIO,
                defaults={"max": 1},
            ),
            graph(
                "Turned away for want of a key",
                "`missing`: no supervisor key in it. `expired`, `revoked`: a supervisor still uses "
                "one that was good. All 0 with auth off.",
                Query(expr=rate(of.KEYS_REFUSED, "reason"), legend="{{reason}}"),
                unit=PER_SECOND,
            ),
        ],
    )


def upstreams() -> Row:
    return Row(
        title="Agent servers",
        panels=[
            states(
                "Up",
                "Whether an upstream answers, as far as anybody asked.",
                Query(expr=largest(of.UPSTREAM_UP, "upstream"), legend="{{upstream}}"),
                _UP,
                alert="SubagentUpstreamDown",
            ),
            graph(
                "Requests, by result",
                "Supervisors' and our own. `broken`: the answer ended in the middle.",
                Query(
                    expr=rate(of.UPSTREAM_REQUESTS, "upstream", "result"),
                    legend="{{upstream}} {{result}}",
                ),
                unit=PER_SECOND,
            ),
            graph(
                "Until an answer began, 95 %",
                "A wait for a run's end (`/wait`, `/join`) is one long request.",
                Query(expr=quantile(0.95, of.UPSTREAM_WAITS, "upstream"), legend="{{upstream}}"),
                unit=SECONDS,
            ),
            graph(
                "Circuit breaker not closed",
                "1 while nothing, or only a trial, is let through.",
                Query(
                    expr=largest(of.UPSTREAM_BREAKER, "upstream", "state", state=_NOT_CLOSED),
                    legend="{{upstream}} {{state}}",
                ),
                alert="SubagentUpstreamDown",
            ),
            graph(
                "Connections",
                "Those that are open, busy or idle.",
                Query(
                    expr=total(of.UPSTREAM_CONNECTIONS, "upstream", "state"),
                    legend="{{upstream}} {{state}}",
                ),
            ),
            graph(
                "Watched tasks",
                "Tasks the watcher follows to their end.",
                Query(expr=largest(of.WATCHED, "upstream"), legend="{{upstream}}"),
            ),
            graph(
                "Watcher is late by",
                "It grows while the upstream does not answer.",
                Query(expr=largest(of.WATCHER_LAG, "upstream"), legend="{{upstream}}"),
                unit=SECONDS,
                marked=True,
                steps=red_as("SubagentNotPolling"),
                alert="SubagentNotPolling",
            ),
        ],
    )


_NOT_CLOSED = ("open", "half-open")


BOARD = Board(
    uid="subagent-health",
    title="Subagents: sidecar health",
    says="How the sidecar itself does, and the agent servers behind it.",
    variables=(METRICS, JOB, UPSTREAM),
    rows=[now(), requests(), upstreams(), record(), tracing(), others(), pushes(), processes()],
)
