"""Reports leave the store to others."""

import asyncio
from typing import Any

from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from tests.support.refusals import policy

from subagent_sidecar.core.report import Report, ReportQuery
from subagent_sidecar.proxy.admin_report import ReportRoutes
from subagent_sidecar.testing import FakeClock


class Store:
    """Takes as long for a report as others want to have their turn."""

    def __init__(self) -> None:
        self.at_once = self.most = self.asked = 0

    async def report(self, query: ReportQuery) -> Report:
        self.asked += 1
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        for _ in range(5):
            await asyncio.sleep(0)
        self.at_once -= 1
        return Report()


class Service:
    policy = policy("limits: []")


async def test_of_several_that_are_asked_for_at_once_one_is_made_at_a_time() -> None:
    store: Any = Store()
    service: Any = Service()
    routes = ReportRoutes(service=service, store=store, clock=FakeClock())

    async def up_to_date() -> None:
        pass

    routes.register(web.Application(), up_to_date)
    request = make_mocked_request("GET", "/v1/report")
    answers = await asyncio.gather(*(routes.report(request) for _ in range(3)))
    assert [answer.status for answer in answers] == [200] * 3
    assert (store.asked, store.most) == (3, 1)
