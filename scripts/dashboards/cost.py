"""What is spent, and what is left."""

from scripts.dashboards.board import FILTERS, Board, Row
from scripts.dashboards.kinds import (
    bars,
    graph,
    organized,
    override,
    stat,
    table,
)
from scripts.dashboards.panels import (
    COUNT,
    GREEN,
    ORANGE,
    RATIO,
    RED,
    USD,
    YELLOW,
    Query,
    orange_from,
    red_as,
)
from scripts.dashboards.queries import RANGE, or_zero, rate, smallest, total

from subagent_sidecar.core.metrics import instruments as of

HOUR = 3600
_LEFT = ((None, RED), (0.05, ORANGE), (0.2, YELLOW), (0.5, GREEN))


def _an_hour(*by: str) -> str:
    return f"{HOUR} * {rate(of.COST, *by)}"


def now() -> Row:
    lately = rate(of.COST, over="1h")
    return Row(
        title="Now",
        panels=[
            stat(
                "Spent, in the time shown",
                "At the prices that are known. What nobody has a price for is not in it: see "
                "*Without a price*.",
                or_zero(total(of.COST, over=RANGE)),
                unit=USD,
                width=4,
            ),
            stat(
                "An hour, at the pace of the last one",
                "What the last hour cost.",
                or_zero(f"{HOUR} * {lately}"),
                unit=USD,
                width=4,
            ),
            stat(
                "A day, at that pace",
                "What a day would cost if it went on as in the last hour.",
                or_zero(f"{24 * HOUR} * {lately}"),
                unit=USD,
                width=4,
            ),
            stat(
                "Left of the tightest budget",
                "In the scope that is closest to its end: 100 % is all of it. Where no budget is "
                "in force there is none.",
                smallest(of.BUDGET_REMAINING),
                unit=RATIO,
                steps=_LEFT,
                width=4,
                alert="SubagentBudgetBurning",
                defaults={"noValue": "no budgets"},
            ),
            stat(
                "Scopes that are spent",
                "What is started there is refused, or what runs there is ended. `subagentctl "
                "budgets` shows which, `subagentctl budgets raise` gives more.",
                or_zero(f"sum({_scopes(of.BUDGET_EXHAUSTED.name)})"),
                steps=red_as("SubagentBudgetExhausted"),
                width=4,
                alert="SubagentBudgetExhausted",
            ),
            stat(
                "Without a price",
                "Messages in the last hour of models that no price is known for: the cost is too "
                "low by theirs. Add one under `prices`.",
                or_zero(total(of.UNPRICED, over="1h")),
                steps=orange_from(1),
                width=4,
                alert="SubagentCostUnknown",
            ),
        ],
    )


def _scopes(name: str) -> str:
    """What a process has seen of budgets is of the record as well: the most that one has seen."""
    return f'max by (job, policy, rule) ({name}{{job=~"$job"}})'


def spent() -> Row:
    finished = total(of.TASKS_FINISHED, "agent", over=RANGE)
    return Row(
        title="Spent",
        panels=[
            graph(
                "An hour, by agent",
                "What is spent in an hour at the pace of each moment.",
                Query(expr=_an_hour("agent"), legend="{{agent}}"),
                unit=USD,
                stacked=True,
            ),
            graph(
                "An hour, by model",
                "The same, by what it is spent on.",
                Query(expr=_an_hour("model"), legend="{{model}}"),
                unit=USD,
                stacked=True,
            ),
            bars(
                "A task, by agent",
                "What a task that ended in the time shown cost on average. Tasks that still run "
                "make it look higher.",
                Query(
                    expr=f"{total(of.COST, 'agent', over=RANGE)} / ({finished} > 0)",
                    legend="{{agent}}",
                    instant=True,
                ),
                unit=USD,
                defaults={"color": {"mode": "continuous-BlPu"}, "min": 0},
            ),
            graph(
                "Tokens a minute",
                "Cached ones are part of the input.",
                Query(expr=f"60 * {rate(of.TOKENS, 'type')}", legend="{{type}}"),
            ),
            graph(
                "Input that came from a cache",
                "Of all input tokens, by model. It falls where prompts change at their beginning.",
                Query(
                    expr=f"{rate(of.CACHED_TOKENS, 'model', type='read')}"
                    f" / ({rate(of.TOKENS, 'model', type='input')} > 0)",
                    legend="{{model}}",
                ),
                unit=RATIO,
                defaults={"max": 1},
            ),
            graph(
                "Without a price, by model",
                "Messages that had no known price when they were read.",
                Query(expr=total(of.UNPRICED, "model", over="1h"), legend="{{model}}"),
                alert="SubagentCostUnknown",
            ),
        ],
    )


def budgets() -> Row:
    left = f'min by (job, policy, rule) ({of.BUDGET_REMAINING.name}{{job=~"$job"}})'
    columns = ["policy", "rule", "Value #A", "Value #B", "Value #C", "Value #D"]
    return Row(
        title="Budgets",
        panels=[
            bars(
                "Left, by budget",
                "In the scope that is closest to its end.",
                Query(expr=left, legend="{{rule}}", instant=True),
                unit=RATIO,
                steps=_LEFT,
                width=12,
                alert="SubagentBudgetBurning",
                defaults={"min": 0, "max": 1},
            ),
            graph(
                "Left, over time",
                "A line that falls straight to the bottom is a supervisor in a loop.",
                Query(expr=left, legend="{{rule}}"),
                unit=RATIO,
                width=12,
                alert="SubagentBudgetBurning",
                defaults={"max": 1},
            ),
            table(
                "Budgets",
                "Scopes (sessions, tasks, supervisors: whatever the budget is per) that are past "
                "its soft threshold, spent ones included, and those that are spent; and what it "
                "would come to in two hours at the pace of the last 30 minutes.",
                *(
                    Query(expr=expr, instant=True, form="table")
                    for expr in (
                        left,
                        _scopes(of.BUDGET_NEAR.name),
                        _scopes(of.BUDGET_EXHAUSTED.name),
                        "min by (job, policy, rule) (predict_linear("
                        f'{of.BUDGET_REMAINING.name}{{job=~"$job"}}[30m], 2 * {HOUR}))',
                    )
                ),
                sort="",
                width=16,
                transformations=[
                    {"id": "merge", "options": {}},
                    organized(
                        columns,
                        {"policy": "Policy", "rule": "Budget", "Value #A": "Left"}
                        | {"Value #B": "Near", "Value #C": "Spent", "Value #D": "In two hours"},
                        hide=["Time", "job"],
                    ),
                ],
                overrides=[
                    override("Left", unit=RATIO, max=1, min=0),
                    override("In two hours", unit=RATIO, decimals=0),
                    *(override(name, unit=COUNT, decimals=0) for name in ("Near", "Spent")),
                ],
            ),
            graph(
                "Thresholds told of",
                "Each once for a scope and window: `near` the end, `exhausted`, and what an "
                "observing budget would have ended.",
                Query(expr=total(of.BUDGET_TOLD, "told", over=RANGE), legend="{{told}}"),
            ),
        ],
    )


def by_model() -> Row:
    by = ("agent", "model")
    asked = [
        total(of.TOKENS, *by, over=RANGE, type="input"),
        total(of.CACHED_TOKENS, *by, over=RANGE, type="read"),
        total(of.CACHED_TOKENS, *by, over=RANGE, type="write"),
        total(of.TOKENS, *by, over=RANGE, type="output"),
        total(of.COST, *by, over=RANGE),
        total(of.UNPRICED, *by, over=RANGE),
    ]
    names = ["Input", "from a cache", "to a cache", "Output", "Cost", "Without a price"]
    values = [f"Value #{ref}" for ref in "ABCDEF"]
    return Row(
        title="Agents and models, over the time shown",
        panels=[
            table(
                "Tokens and cost",
                "What each agent used of each model in the time shown.",
                *(Query(expr=expr, instant=True, form="table") for expr in asked),
                sort="Cost",
                transformations=[
                    {"id": "merge", "options": {}},
                    organized(
                        ["agent", "model", *values],
                        {"agent": "Agent", "model": "Model"}
                        | dict(zip(values, names, strict=True)),
                        hide=["Time"],
                    ),
                ],
                overrides=[
                    *(override(n, unit=COUNT, decimals=0) for n in names if n != "Cost"),
                    override("Cost", unit=USD),
                ],
            )
        ],
    )


BOARD = Board(
    uid="subagent-cost",
    title="Subagents: cost and budgets",
    says="What is spent, on what, and what is left. US dollars, at list prices or your own.",
    variables=FILTERS,
    rows=[now(), spent(), budgets(), by_model()],
    since="now-24h",
    refresh="1m",
)
