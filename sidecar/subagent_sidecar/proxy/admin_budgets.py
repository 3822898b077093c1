"""The admin plane's budgets: how they stand, and the lever that raises one."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from heapq import nlargest
from typing import Any

from aiohttp import web

from ..core.budgets import Standing
from ..core.matching import EVERYTHING, Scope
from ..core.policy import Amounts, Budget
from ..core.prices import micro_usd, usd, usd_text
from ..core.units import duration, duration_text
from ..core.verdict import Answer
from ..errors import BadBody, BadQuery, NoSuchBudget
from ..ports import Clock, Store
from ..service import Service
from .admin_about import came_to
from .admin_cancel import Resolve
from .admin_json import answer, json_body
from .admin_names import Names

_MOST = 200
_RAISE = frozenset({"rule", "scope_id", "usd", "tokens", "run_time", "runs"})
_NAMES = {"micro_usd": "usd"}
_LARGEST = 10**15


class BudgetRoutes:
    """Handlers; `register` adds them."""

    def __init__(self, *, service: Service, store: Store, clock: Clock, names: Names) -> None:
        self._service = service
        self._store = store
        self._clock = clock
        self._names = names
        self._resolve: Resolve
        self._up_to_date: Callable[[], Awaitable[None]]

    def register(
        self,
        app: web.Application,
        resolve: Resolve,
        up_to_date: Callable[[], Awaitable[None]],
    ) -> None:
        """`resolve` makes a task's id of a part of it; `up_to_date` lets the books catch up."""
        self._resolve = resolve
        self._up_to_date = up_to_date
        app.router.add_get("/v1/budgets", self.shown)
        app.router.add_post("/v1/budgets/raise", self.raised)

    async def shown(self, request: web.Request) -> web.Response:
        """Of every budget the scopes in which something was spent, the largest share first."""
        for unknown in request.query.keys() - {"rule"}:
            raise BadQuery(f"'{unknown[:80]}' is not known here; there is: rule")
        budgets = self._chosen(request.query.get("rule"))
        await self._up_to_date()
        now = self._clock.now()
        found = await asyncio.gather(
            *(self._store.spenders(budget, now, limit=_MOST + 1) for budget in budgets)
        )
        standings = [
            Standing(budget=budget, scope_id=scope_id, spent=spent)
            for budget, spenders in zip(budgets, found, strict=True)
            for scope_id, spent in spenders
        ]
        shown = nlargest(_MOST, standings, key=lambda standing: standing.share)
        return answer(
            {
                "budgets": [standing_json(standing) for standing in shown],
                "rules": [budget.name for budget in budgets],
                "more": len(standings) > len(shown),
            }
        )

    def _chosen(self, name: str | None) -> Sequence[Budget]:
        return self._service.policy.budgets if name is None else [self._named(name)]

    def _named(self, name: str) -> Budget:
        budgets = self._service.policy.budgets
        found = next((budget for budget in budgets if budget.name == name), None)
        if found is None:
            there = ", ".join(budget.name for budget in budgets) or "none"
            raise NoSuchBudget(f"no budget in force is called '{name[:80]}'; there are: {there}")
        return found

    async def raised(self, request: web.Request) -> web.Response:
        """Adds to a budget in one scope, and says how it stands then."""
        body = await json_body(request, _RAISE)
        budget = self._named(_text(body, "rule"))
        amounts = _amounts(body, budget)
        scope_id, unheard_of = await self._place(budget, body)
        came_to(request, scope=budget.per.value, scope_id=scope_id)
        await self._service.levers.raise_budget(budget, scope_id, amounts)
        now = self._clock.now()
        [spent] = await self._store.spent([(budget, scope_id)], now, apart=True)
        standing = Standing(budget=budget, scope_id=scope_id, spent=spent)
        return answer({"budget": standing_json(standing), "not_on_record": unheard_of})

    async def _place(
        self, budget: Budget, body: Mapping[str, Any]
    ) -> tuple[str, dict[str, Any] | None]:
        """Tasks are named by their ids or a part of one, everything else in full. And what is to
        be said of a name that nothing is on record of."""
        if budget.per is Scope.GLOBAL:
            if body.get("scope_id") not in (None, EVERYTHING):
                raise BadBody(f"scope_id: budget {budget.name} is of all callers together: '*'")
            return EVERYTHING, None
        given = _text(body, "scope_id")
        await self._up_to_date()
        if budget.per in (Scope.TASK, Scope.TREE):
            return await self._resolve(given), None
        each = f"budget {budget.name} is counted for each {budget.per} by itself"
        instead = f"{each}, so name one; `subagentctl budgets --rule {budget.name}` shows them"
        return given, await self._names.unheard_of(budget.per, given, instead=instead)


def standing_json(standing: Standing) -> dict[str, Any]:
    """A budget in one scope. USD as decimal text, run time in seconds, all else whole numbers."""
    budget = standing.budget
    return {
        "rule": budget.name,
        "policy": budget.policy,
        "mode": budget.mode.value,
        "scope": budget.per.value,
        "scope_id": standing.scope_id,
        "window": None if budget.window is None else duration_text(budget.window),
        "on_exhausted": budget.on_exhausted.value,
        "state": _state(standing),
        "share": round(standing.share, 4),
        "unpriced": standing.spent.unpriced,
        "amounts": {_NAMES.get(a.what, a.what): _amount(a, standing) for a in standing.amounts},
    }


def _state(standing: Standing) -> str:
    if standing.spent_up:
        return "exhausted"
    if standing.unpriced:
        return "unpriced"
    if standing.exhausted:
        return "reserved"
    return "near" if standing.near else "ok"


def _amount(given: Answer, standing: Standing) -> dict[str, Any]:
    what = given.what
    raised = dict(standing.spent.raised.said).get(what, 0)
    numbers = {
        "used": given.current,
        "spent": given.current - given.held.amount,
        "reserved": given.held.amount,
        "limit": given.limit,
        "raised": raised,
        "remaining": max(given.limit - given.current, 0),
    }
    written = {name: _number(what, value) for name, value in numbers.items()}
    known = what != "micro_usd" or standing.known
    return {**written, "reserving": given.held.runs, "at_least": not known}


def _number(what: str, value: int) -> Any:
    match what:
        case "micro_usd":
            return usd_text(value)
        case "run_time":
            return value / 1_000_000
        case _:
            return value


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not value or not value.isprintable():
        raise BadBody(f"{key}: must be a name, not empty")
    return value


def _amounts(body: Mapping[str, Any], budget: Budget) -> Amounts:
    """What is to be added. Raises BadBody, also for what the budget does not limit."""
    given = {key: body[key] for key in ("usd", "tokens", "run_time", "runs") if key in body}
    limited = [_NAMES.get(what, what) for what, _ in budget.limit.said]
    if not given:
        raise BadBody(f"say what to add: {', '.join(limited)}")
    for key in given:
        if key not in limited:
            raise BadBody(f"{key}: budget {budget.name} limits {', '.join(limited)} only")
    return Amounts(
        micro_usd=_dollars(given["usd"]) if "usd" in given else None,
        tokens=_count("tokens", given["tokens"]) if "tokens" in given else None,
        run_time=_time(given["run_time"]) if "run_time" in given else None,
        runs=_count("runs", given["runs"]) if "runs" in given else None,
    )


def _dollars(given: Any) -> int:
    try:
        amount = micro_usd(usd(given))
    except ValueError as error:
        raise BadBody(f"usd: {error}") from error
    if not amount or Decimal(amount) != usd(given) * 10**6:
        raise BadBody("usd: must be more than nothing, with six decimals at most")
    return amount


def _count(key: str, given: Any) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or not 0 < given <= _LARGEST:
        raise BadBody(f"{key}: must be a whole number, from 1 to {_LARGEST}")
    return given


def _time(given: Any) -> timedelta:
    try:
        span = duration(given)
    except ValueError as error:
        raise BadBody(f"run_time: {error}") from error
    if not timedelta() < span <= timedelta(days=36_500):
        raise BadBody("run_time: must be more than nothing, and a hundred years at most")
    return span
