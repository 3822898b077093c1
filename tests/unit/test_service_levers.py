"""What operators do by hand is on record when they are answered, or they are told so."""

import pytest
from tests.support.troubled_store import TroubledStore

from subagent_sidecar.core.matching import EVERYTHING, Glob, Match, Scope
from subagent_sidecar.core.policy import Amounts, Budget, Limit, LimitKind, Mode, Policy
from subagent_sidecar.core.refusal import Refused
from subagent_sidecar.errors import StoreBusy, StoreUnavailable
from subagent_sidecar.service import Service
from subagent_sidecar.testing import FakeClock

BUDGET = Budget(name="b", policy="p", per=Scope.SESSION, limit=Amounts(runs=0))


@pytest.fixture
def store() -> TroubledStore:
    return TroubledStore()


@pytest.fixture
def service(store: TroubledStore) -> Service:
    return Service(store=store, clock=FakeClock())


async def start(service: Service) -> None:
    await service.admit(upstream="up", supervisor="ann", header_session="s")


async def test_a_freeze_holds_as_soon_as_it_is_answered(service: Service) -> None:
    await service.levers.freeze(Scope.SESSION, "s", "why")
    with pytest.raises(Refused) as refused:
        await start(service)
    assert refused.value.code == "frozen" and "why" in refused.value.message
    await service.levers.unfreeze(Scope.SESSION, "s")
    await start(service)


async def test_a_raise_holds_as_soon_as_it_is_answered(service: Service) -> None:
    service.policy = Policy(budgets=(BUDGET,))
    with pytest.raises(Refused):
        await start(service)
    await service.levers.raise_budget(BUDGET, "s", Amounts(runs=1))
    await start(service)


async def test_each_raise_adds_to_the_one_before(service: Service) -> None:
    service.policy = Policy(budgets=(BUDGET,))
    for _ in range(2):
        await service.levers.raise_budget(BUDGET, "s", Amounts(runs=1))
    await start(service)
    await start(service)
    with pytest.raises(Refused):
        await start(service)


async def test_a_lever_that_is_not_on_record_is_an_error_and_not_tried_again(
    service: Service, store: TroubledStore
) -> None:
    store.down = StoreUnavailable("the file is locked")
    with pytest.raises(StoreUnavailable):
        await service.levers.freeze(Scope.GLOBAL, EVERYTHING, None)
    store.down, store.busy = None, True
    with pytest.raises(StoreBusy):
        await service.levers.unfreeze(Scope.GLOBAL, EVERYTHING)
    store.busy = False
    await service.flush()
    await start(service)
    assert await store.freezes() == []


async def test_who_follows_events_is_woken_by_a_lever(service: Service) -> None:
    woken: list[str] = []
    service.on_entered(lambda: woken.append("now"))
    await service.levers.freeze(Scope.GLOBAL, EVERYTHING, None)
    assert woken == ["now"]


CODER = Match(agent=(Glob("coder"),))


def limit(match: Match = CODER, mode: Mode = Mode.ENFORCE, per: Scope | None = None) -> Policy:
    kind = LimitKind.DENY if per is None else LimitKind.STARTS
    named = Limit(name="l", policy="p", kind=kind, match=match, mode=mode, per=per)
    return Policy(limits=(named,))


@pytest.mark.parametrize(
    ("policy", "guards"),
    [
        (Policy(), False),
        (limit(), True),
        (limit(mode=Mode.OBSERVE), False),
        (limit(match=Match()), False),
        (limit(match=Match(), per=Scope.SESSION), False),
        (limit(match=Match(), per=Scope.AGENT), True),
    ],
)
async def test_whose_a_start_is_matters_where_it_may_be_refused_for_it(
    service: Service, policy: Policy, guards: bool
) -> None:
    service.policy = policy
    assert await service.guards_agents() is guards
    await service.levers.freeze(Scope.SESSION, "s", None)
    assert await service.guards_agents() is guards
    await service.levers.freeze(Scope.AGENT, "coder", None)
    assert await service.guards_agents()
