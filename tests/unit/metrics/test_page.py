"""Pages are shared by those who scrape at once, in whatever formats they ask for."""

import asyncio

from subagent_sidecar.core.metrics import instruments
from subagent_sidecar.core.metrics.families import Family, plain
from subagent_sidecar.metrics import Page
from subagent_sidecar.testing import FakeClock

TEXT = "text/plain"
OPEN = "application/openmetrics-text; version=1.0.0"


class Gathering:
    """Tells how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.clock = FakeClock()
        self.page = Page(self.gather, now=self.clock.monotonic)

    async def gather(self) -> list[Family]:
        self.asked += 1
        await asyncio.sleep(0)
        return [plain(instruments.STORE_WAITING, self.asked)]

    async def says(self, accept: str = TEXT) -> str:
        body, _ = await self.page.written(accept)
        lines = body.decode().splitlines()
        return next(line for line in lines if line.startswith("subagent_store_writes_waiting"))


async def test_those_who_ask_at_once_or_within_a_second_share_one_page() -> None:
    gathering = Gathering()
    await asyncio.gather(*(gathering.says() for _ in range(5)))
    gathering.clock.tick(0.9)
    assert await gathering.says() == "subagent_store_writes_waiting 1.0"
    gathering.clock.tick(0.2)
    assert await gathering.says() == "subagent_store_writes_waiting 2.0"
    assert gathering.asked == 2


async def test_each_gets_the_format_it_asked_for_of_the_same_figures() -> None:
    gathering = Gathering()
    text, opened = await gathering.page.written(TEXT), await gathering.page.written(OPEN)
    assert (text[1].split(";")[0], opened[1].split(";")[0]) == (TEXT, OPEN.split(";")[0])
    assert opened[0].endswith(b"# EOF\n") and not text[0].endswith(b"# EOF\n")
    assert gathering.asked == 1


async def test_no_number_of_odd_scrapers_fills_the_memory() -> None:
    gathering = Gathering()
    pages = [await gathering.page.written(f"x/{number}") for number in range(50)]
    assert {content_type for _, content_type in pages} == {
        "text/plain; version=0.0.4; charset=utf-8"
    }
    assert len(gathering.page._written) < 10
