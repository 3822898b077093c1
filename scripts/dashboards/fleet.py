"""What runs, ends, waits, fails and is refused."""

from scripts.dashboards.board import FILTERS, Board, Row
from scripts.dashboards.ends import STATUS, by_agent, ended, failing, turned_away
from scripts.dashboards.kinds import (
    graph,
    organized,
    override,
    stat,
    table,
)
from scripts.dashboards.panels import (
    PER_MINUTE,
    RATIO,
    SECONDS,
    Panel,
    Query,
    orange_from,
    red_as,
    red_from,
)
from scripts.dashboards.queries import (
    largest,
    or_zero,
    per_minute,
    quantile,
    total,
)

from subagent_sidecar.core.metrics import instruments as of

FIRING = 'ALERTS{alertname=~"Subagent.+", alertstate="firing"}'


def now() -> Row:
    return Row(
        title="Now: all of this should be green",
        panels=[
            stat(
                "Alerts firing",
                "Of the rules that come with the sidecar. Which ones stands below. 0 also where "
                "Prometheus has not loaded them.",
                or_zero(f"count({FIRING})"),
                steps=red_from(1),
            ),
            stat(
                "Upstreams down",
                "Agent servers that take no connections, or have left two questions in a row "
                "unanswered. Nothing can be started there.",
                or_zero(f"count({largest(of.UPSTREAM_UP, 'job', 'upstream')} == 0)"),
                steps=red_from(1),
                alert="SubagentUpstreamDown",
            ),
            stat(
                "Longest at work",
                "How long the task that has been running for longest has been running. It may "
                "hang, and goes on spending: `subagentctl tasks --status running`.",
                largest(of.TASKS_OLDEST, status="running"),
                unit=SECONDS,
                steps=red_as("SubagentTaskRunningLong"),
                alert="SubagentTaskRunningLong",
            ),
            stat(
                "Longest in the queue",
                "How long a run has waited for its server to begin it. Is the server at its limit?",
                largest(of.TASKS_OLDEST, status="pending"),
                unit=SECONDS,
                steps=red_as("SubagentTaskPendingLong"),
                alert="SubagentTaskPendingLong",
            ),
            stat(
                "Cancelled, but going on",
                "Runs that go on although they were cancelled, whatever was tried. They still "
                "spend. A restart of the server's worker ends them.",
                or_zero(total(of.CANCELS_UNCONFIRMED)),
                steps=red_as("SubagentCancelUnconfirmed"),
                alert="SubagentCancelUnconfirmed",
            ),
            stat(
                "Starts in doubt",
                "Starts that were sent and whose answer never came. Their places in limits stay "
                "taken until the server tells.",
                or_zero(total(of.STARTS_UNSETTLED, state="in_doubt")),
                steps=red_as("SubagentStartsInDoubt"),
                alert="SubagentStartsInDoubt",
            ),
            stat(
                "Failed, of those that ended",
                "In the last 30 minutes, of the tasks that ended by themselves: errors and "
                "timeouts. The server's log says why.",
                failing("30m"),
                unit=RATIO,
                steps=red_as("SubagentTasksFailing"),
                alert="SubagentTasksFailing",
                defaults={"noValue": "none ended"},
            ),
            stat(
                "Kill switches pulled",
                "Freezes: starts that somebody has stopped. `subagentctl unfreeze` lifts them.",
                or_zero(total(of.FREEZES)),
                steps=orange_from(1),
            ),
        ],
    )


def firing() -> Panel:
    return table(
        "Alerts",
        "What fires now. The link leads to what to do about it. Empty is good, unless Prometheus "
        "has not loaded the rules.",
        Query(expr=FIRING, instant=True, form="table"),
        height=5,
        width=12,
        transformations=[
            organized(
                ["severity", "alertname", "upstream", "agent", "rule", "instance"],
                {"alertname": "Alert", "severity": "Severity", "upstream": "Upstream"}
                | {"agent": "Agent", "rule": "Rule", "instance": "Instance"},
                hide=["Time", "Value", "__name__", "alertstate", "job", "policy"],
            )
        ],
        overrides=[
            override(
                "Alert",
                links=[{"title": "Runbooks", "url": "/d/subagent-runbooks", "targetBlank": True}],
            )
        ],
        defaults={"color": {"mode": "thresholds"}, "noValue": "none"},
    )


def at_work() -> Row:
    live = Query(expr=total(of.TASKS_LIVE, "status"), legend="{{status}}")
    return Row(
        title="At work",
        panels=[
            graph(
                "Live tasks",
                "Tasks that have not ended. Many `pending` ones: the servers have more to do than "
                "they can.",
                live,
                stacked=True,
                width=12,
                height=5,
                overrides=STATUS,
            ),
            firing(),
            graph(
                "Live tasks by agent",
                "Whose tasks they are. One that rises alone: is a supervisor in a loop?",
                Query(expr=f"{total(of.TASKS_LIVE, 'agent')} > 0", legend="{{agent}}"),
                stacked=True,
                alert="SubagentRunawaySpawning",
            ),
            graph(
                "Started",
                "Tasks whose first run a server accepted, by agent, each minute. To stop one: "
                "`subagentctl freeze --agent AGENT`.",
                Query(expr=per_minute(of.TASKS_STARTED, "agent"), legend="{{agent}}"),
                unit=PER_MINUTE,
                alert="SubagentRunawaySpawning",
            ),
            graph(
                "Follow-ups",
                "Further runs on tasks' threads, by agent, each minute.",
                Query(expr=per_minute(of.TASKS_UPDATED, "agent"), legend="{{agent}}"),
                unit=PER_MINUTE,
            ),
            graph(
                "Oldest in each status",
                "How long the task that has been in a status for longest has been in it. A line "
                "that rises straight is one task that does not move.",
                Query(expr=largest(of.TASKS_OLDEST, "status"), legend="{{status}}"),
                unit=SECONDS,
                overrides=STATUS,
                alert="SubagentTaskWaitingLong",
            ),
            graph(
                "In the queue, 95 %",
                "From the moment a run was asked for until it was seen at work, by agent.",
                Query(
                    expr=quantile(0.95, of.RUN_QUEUE, "agent"),
                    legend="{{agent}}",
                    exemplars=True,
                ),
                unit=SECONDS,
            ),
            graph(
                "At work, 50 % and 95 %",
                "How long runs were at work, however they ended. The dots are single runs: they "
                "lead to their traces.",
                Query(expr=quantile(0.5, of.RUN_DURATION), legend="half are shorter"),
                Query(
                    expr=quantile(0.95, of.RUN_DURATION),
                    legend="95 % are shorter",
                    exemplars=True,
                ),
                unit=SECONDS,
            ),
        ],
    )


BOARD = Board(
    uid="subagent-fleet",
    title="Subagents: fleet",
    says="What runs, ends, waits, fails and is refused. Red is where an alert fires.",
    variables=FILTERS,
    rows=[now(), at_work(), ended(), turned_away(), by_agent()],
)
