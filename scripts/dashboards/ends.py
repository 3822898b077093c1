"""How tasks end, and starts that never became one: rows of the fleet's dashboard."""

from scripts.dashboards.board import Row
from scripts.dashboards.kinds import (
    colored,
    graph,
    heat,
    organized,
    override,
    table,
)
from scripts.dashboards.panels import (
    BLUE,
    COUNT,
    GREEN,
    GREY,
    ORANGE,
    PER_MINUTE,
    RATIO,
    RED,
    SECONDS,
    USD,
    YELLOW,
    Query,
    red_as,
    red_from,
)
from scripts.dashboards.queries import (
    RANGE,
    RATE,
    per_minute,
    quantile,
    total,
)
from scripts.dashboards.rules import finite, threshold

from subagent_sidecar.core.metrics import instruments as of

FAILED = ("error", "timeout")
BY_THEMSELVES = ("success", *FAILED)
"""How tasks end that nobody ended."""

STATUS = colored(
    pending=GREY,
    running=BLUE,
    waiting=YELLOW,
    success=GREEN,
    error=RED,
    timeout=ORANGE,
    cancelled="purple",
)


def failing(over: str, *by: str) -> str:
    failed = total(of.TASKS_FINISHED, *by, over=over, status=FAILED)
    return f"{failed} / ({total(of.TASKS_FINISHED, *by, over=over, status=BY_THEMSELVES)} > 0)"


def ended() -> Row:
    return Row(
        title="Ended",
        panels=[
            graph(
                "Ended, by how",
                "Tasks that ended, each minute.",
                Query(expr=per_minute(of.TASKS_FINISHED, "status"), legend="{{status}}"),
                unit=PER_MINUTE,
                stacked=True,
                overrides=STATUS,
            ),
            graph(
                "Ended, by whose act",
                "`upstream`: by themselves. `server_lost`: their server knows them no more.",
                Query(expr=per_minute(of.TASKS_FINISHED, "cause"), legend="{{cause}}"),
                unit=PER_MINUTE,
                stacked=True,
            ),
            graph(
                "Failed, by agent",
                "Of the tasks that ended by themselves within 30 minutes: errors and timeouts.",
                Query(expr=failing("30m", "agent"), legend="{{agent}}"),
                unit=RATIO,
                marked=True,
                steps=red_as("SubagentTasksFailing"),
                alert="SubagentTasksFailing",
                defaults={"max": 1},
            ),
            graph(
                "Reaped, by why",
                "Tasks that the reaper ended, by the key of the policy; and what observing rules "
                "would have ended. `subagentctl reap --dry-run` shows what is due.",
                Query(expr=per_minute(of.TASKS_REAPED, "reason"), legend="{{reason}}"),
                Query(
                    expr=per_minute(of.TASKS_WOULD_REAP, "reason"), legend="{{reason}}, observed"
                ),
                unit=PER_MINUTE,
            ),
            graph(
                "Cancels asked, by whom",
                "Runs that somebody wanted to end, each minute.",
                Query(expr=per_minute(of.CANCELS_ASKED, "by"), legend="{{by}}"),
                unit=PER_MINUTE,
            ),
            graph(
                "Cancels, as they turned out",
                "`too_late`: the run had ended by itself. `unconfirmed`: it goes on whatever was "
                "tried.",
                Query(expr=per_minute(of.CANCELS_SETTLED, "outcome"), legend="{{outcome}}"),
                unit=PER_MINUTE,
                overrides=colored(confirmed=GREEN, too_late=GREY, unconfirmed=RED),
                alert="SubagentCancelUnconfirmed",
            ),
            heat(
                "How long runs are at work",
                "How many runs fell into each span of time. Two bands: two kinds of work under "
                "one name. The dots lead to traces.",
                of.RUN_DURATION,
                width=12,
            ),
            heat(
                "How long runs are in the queue",
                "From the moment a run was asked for until it was seen at work.",
                of.RUN_QUEUE,
                width=12,
            ),
        ],
    )


def turned_away() -> Row:
    return Row(
        title="Refused, failed, in doubt",
        panels=[
            graph(
                "Refused, by rule",
                "Starts that a rule refused, each minute. One that goes on: a supervisor does not "
                "understand what it is told. `subagentctl events --kind refused`.",
                Query(expr=per_minute(of.STARTS_REFUSED, "policy", "rule"), legend="{{rule}}"),
                unit=PER_MINUTE,
                marked=True,
                steps=red_from(60 * threshold("SubagentRefusalStorm")),
                alert="SubagentRefusalStorm",
            ),
            graph(
                "Would be refused",
                "Starts let in that an observing rule would have refused: look here before it is "
                "enforced.",
                Query(expr=per_minute(of.STARTS_WOULD_REFUSE, "policy", "rule"), legend="{{rule}}"),
                unit=PER_MINUTE,
            ),
            graph(
                "Came to nothing",
                "Starts that the server refused, or that never reached it, by agent.",
                Query(expr=per_minute(of.STARTS_FAILED, "agent"), legend="{{agent}}"),
                unit=PER_MINUTE,
            ),
            graph(
                "Not settled",
                "Starts whose outcome is not on record, and those that came into doubt.",
                Query(expr=total(of.STARTS_UNSETTLED, "state"), legend="{{state}}"),
                Query(expr=total(of.STARTS_DOUBTED, over=RATE), legend="came into doubt"),
                overrides=colored(under_way=BLUE, in_doubt=RED),
                alert="SubagentStartsInDoubt",
            ),
            graph(
                "Kill switches",
                "Freezes that are pulled, by what they stop.",
                Query(expr=total(of.FREEZES, "scope"), legend="{{scope}}"),
            ),
        ],
    )


def by_agent() -> Row:
    spent = total(of.COST, "agent", over=RANGE)
    asked = [
        total(of.TASKS_LIVE, "agent"),
        total(of.TASKS_STARTED, "agent", over=RANGE),
        total(of.TASKS_FINISHED, "agent", over=RANGE),
        failing(RANGE, "agent"),
        quantile(0.5, of.RUN_DURATION, "agent", over=RANGE),
        quantile(0.95, of.RUN_DURATION, "agent", over=RANGE),
        spent,
    ]
    names = ["Live", "Started", "Ended", "Failed", "Half under", "95 % under", "Cost"]
    values = [f"Value #{ref}" for ref in "ABCDEFG"]
    tasks = "/d/subagent-trees?var-agent=${__value.raw}&${__url_time_range}"
    return Row(
        title="Agents, over the time shown",
        panels=[
            table(
                "Agents",
                "What each agent did in the time shown. The link shows its tasks, and their "
                "traces.",
                *(Query(expr=expr, instant=True, form="table") for expr in asked),
                sort="Started",
                transformations=[
                    {"id": "joinByField", "options": {"byField": "agent", "mode": "outer"}},
                    organized(
                        ["agent", *values],
                        {"agent": "Agent", **dict(zip(values, names, strict=True))},
                        hide=[f"Time {number}" for number in range(1, 8)] + ["Time"],
                    ),
                ],
                overrides=[
                    override("Agent", links=[{"title": "Tasks and traces", "url": tasks}]),
                    *(override(name, unit=COUNT, decimals=0) for name in names[:3]),
                    override(
                        "Failed",
                        unit=RATIO,
                        custom__cellOptions={"type": "color-text"},
                        thresholds={
                            "mode": "absolute",
                            "steps": [
                                {"color": GREEN, "value": None},
                                {"color": RED, "value": finite(threshold("SubagentTasksFailing"))},
                            ],
                        },
                    ),
                    *(override(name, unit=SECONDS) for name in names[4:6]),
                    override("Cost", unit=USD),
                ],
            )
        ],
    )
