"""What goes on inside a sidecar: rows of the dashboard of its health."""

from scripts.dashboards.board import Row
from scripts.dashboards.kinds import (
    colored,
    graph,
    organized,
    stat,
    table,
)
from scripts.dashboards.panels import (
    BYTES,
    GREEN,
    PER_SECOND,
    RATIO,
    RED,
    SECONDS,
    Query,
    red_from,
)
from scripts.dashboards.queries import (
    largest,
    quantile,
    rate,
    series,
    total,
)

from subagent_sidecar.core.metrics import instruments as of

MINE = '{job=~"$job"}'
_WHO = "{{instance}}"


def record() -> Row:
    return Row(
        title="The record",
        panels=[
            graph(
                "Transactions",
                "How long they took, the wait for the disk included.",
                Query(expr=quantile(0.5, of.STORE_COMMITS), legend="half are shorter"),
                Query(expr=quantile(0.95, of.STORE_COMMITS), legend="95 % are shorter"),
                unit=SECONDS,
            ),
            graph(
                "Writes",
                "Several are one transaction.",
                Query(expr=rate(of.STORE_WRITES), legend="writes"),
                Query(expr=rate(of.STORE_COMMITS), legend="transactions"),
                unit="wps",
            ),
            graph(
                "Waiting",
                "Writes that were handed in and are not done, changes that are not on record, and "
                "events that the counters do not have in them yet.",
                Query(expr=largest(of.STORE_WAITING), legend="writes"),
                Query(expr=largest(of.UNRECORDED), legend="changes"),
                Query(expr=largest(of.UNCOUNTED), legend="events"),
                alert="SubagentRecordsWaiting",
            ),
            graph(
                "Reads and writes that failed",
                "`busy`: too many were waiting. `unavailable`: locked, or the disk is full.",
                Query(expr=rate(of.STORE_ERRORS, "error"), legend="{{error}}"),
                unit=PER_SECOND,
                alert="SubagentStoreUnreadable",
            ),
            graph(
                "Changes given up",
                "Changes that the store will never take.",
                Query(expr=total(of.DROPPED, "instance", over="$__rate_interval"), legend=_WHO),
                alert="SubagentRecordsDropped",
            ),
        ],
    )


def tracing() -> Row:
    return Row(
        title="Traces",
        panels=[
            graph(
                "Spans",
                "Spans made of the record, by what became of them. Both are 0 while no endpoint "
                "is set.",
                Query(expr=rate(of.TRACE_SPANS, "result"), legend="{{result}}"),
                unit=PER_SECOND,
                overrides=colored(exported=GREEN, dropped=RED),
            ),
            graph(
                "Attempts in vain",
                "Attempts to export that the endpoint did not take. Nothing is lost while it is "
                "down: the spans wait in the record.",
                Query(expr=rate(of.TRACE_FAILURES), legend="attempts"),
                unit=PER_SECOND,
                alert="SubagentTracesWaiting",
            ),
        ],
    )


def processes() -> Row:
    columns = ["instance", "job", "version", "python", "store"]
    return Row(
        title="Processes and policies",
        panels=[
            graph(
                "CPU",
                "Of one core. A sidecar is one process, and uses one.",
                Query(expr=f"rate(process_cpu_seconds_total{MINE}[$__rate_interval])", legend=_WHO),
                unit=RATIO,
            ),
            graph(
                "Memory",
                "What is in memory of each.",
                Query(expr=f"process_resident_memory_bytes{MINE}", legend=_WHO),
                unit=BYTES,
            ),
            graph(
                "Open files, of those allowed",
                "Connections are files. At 100 % no new ones can be opened.",
                Query(expr=f"process_open_fds{MINE} / process_max_fds{MINE}", legend=_WHO),
                unit=RATIO,
                marked=True,
                steps=red_from(0.8),
            ),
            table(
                "Sidecars",
                "Which version runs where.",
                Query(expr=series(of.BUILD_INFO), instant=True, form="table"),
                width=12,
                height=6,
                transformations=[
                    organized(
                        columns,
                        {"instance": "Instance", "job": "Job", "version": "Version"}
                        | {"python": "Python", "store": "Store"},
                        hide=["Time", "Value", "__name__"],
                    )
                ],
            ),
            table(
                "Policies",
                "What is in force where. Sidecars of one store should be equal. "
                "`subagentctl policy show` says it in full.",
                Query(expr=series(of.POLICY_INFO), instant=True, form="table"),
                width=12,
                height=6,
                transformations=[
                    organized(
                        ["instance", "job", "version"],
                        {"instance": "Instance", "job": "Job", "version": "Version"},
                        hide=["Time", "Value", "__name__"],
                    )
                ],
            ),
            graph(
                "Rules in force",
                "By kind, and whether they are enforced or only observe.",
                Query(expr=largest(of.POLICY_RULES, "kind", "mode"), legend="{{kind}}, {{mode}}"),
            ),
            graph(
                "Reloads of the policy",
                "Attempts, in the time between two points.",
                Query(
                    expr=total(of.POLICY_RELOADS, "result", over="$__rate_interval"),
                    legend="{{result}}",
                ),
                overrides=colored(ok=GREEN, failed=RED),
                alert="SubagentPolicyReloadFailed",
            ),
            graph(
                "Not let in at the admin plane",
                "In the time between two points. `wrong_token`: somebody has an old token, or "
                "tries them one by one. `role`: a token that may not do that. `page`: a web page, "
                "or a name that `allowed_hosts` lacks. The log says from where.",
                Query(
                    expr=total(of.ADMIN_REFUSED, "reason", over="$__rate_interval"),
                    legend="{{reason}}",
                ),
            ),
            stat(
                "Age of the policy",
                "Since the youngest one that is in force was taken up.",
                f"time() - max({series(of.POLICY_LOADED)})",
                unit=SECONDS,
                width=8,
                height=8,
            ),
        ],
    )
