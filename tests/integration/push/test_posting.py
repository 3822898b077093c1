"""One push, on a real socket: where it goes, where it never goes, and how long it waits."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from tests.support.receiver import Receiver

from subagent_sidecar.core.push.addresses import allow_list
from subagent_sidecar.notifier import GuardedResolver, HttpPoster


class Names(AbstractResolver):
    """Gives the addresses of each turn, the last of them for ever."""

    def __init__(self, *turns: list[str]) -> None:
        self.turns = list(turns)
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        found = self.turns.pop(0) if len(self.turns) > 1 else self.turns[0]
        return [
            ResolveResult(
                hostname=host, host=each, port=port, family=socket.AF_INET, proto=0, flags=0
            )
            for each in found
        ]

    async def close(self) -> None:
        return


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver().running() as one:
        yield one


def poster(url: str, names: Names, *allow: str, within_s: float = 10.0) -> HttpPoster:
    return HttpPoster(
        url,
        resolver=lambda: GuardedResolver(names, allow_list(list(allow))),
        at_once=2,
        within_s=within_s,
    )


async def test_it_goes_where_a_listed_range_has_the_address(receiver: Receiver) -> None:
    names = Names(["127.0.0.1"])
    url = f"http://hooks.example.com:{receiver.port}/a/b%2Fc?key=v"
    one = poster(url, names, "127.0.0.0/8")
    answer = await one.post(b'{"a":1}', {"x-own": "1"})
    await one.aclose()
    (pushed,) = receiver.pushed
    assert answer.status == 204
    assert (pushed.path, pushed.body, pushed.headers["x-own"]) == ("/a/b/c", b'{"a":1}', "1")
    assert pushed.headers["Host"] == f"hooks.example.com:{receiver.port}"
    assert names.asked == ["hooks.example.com"]  # once: nobody could answer something else


async def test_a_listed_name_that_points_inside_is_not_connected_to(receiver: Receiver) -> None:
    one = poster(
        f"http://hooks.example.com:{receiver.port}/", Names(["127.0.0.1"]), "hooks.example.com"
    )
    answer = await one.post(b"{}", {})
    await one.aclose()
    assert (answer.status, receiver.pushed) == (None, [])
    assert "push_allow" in answer.problem


async def test_a_name_that_is_pointed_elsewhere_later_is_looked_at_again(
    receiver: Receiver,
) -> None:
    names = Names(["127.0.0.1"], ["127.0.0.2"], ["127.0.0.2", "127.0.0.1"])
    one = poster(f"http://hooks.example.com:{receiver.port}/", names, "127.0.0.1")
    answers = [(await one.post(b"{}", {})).status for _ in range(3)]
    await one.aclose()
    assert answers == [204, None, 204]  # of several addresses only those that are allowed
    assert len(receiver.pushed) == 2


async def test_an_address_instead_of_a_name_is_checked_as_well(receiver: Receiver) -> None:
    names = Names(["127.0.0.1"])
    for host, allow, status in (
        ("127.0.0.1", "127.0.0.1", 204),
        ("127.0.0.1", "127.0.0.2", None),
        ("127.0.0.1", "*", None),
        ("2130706433", "127.0.0.1", None),  # the same one, to a lenient reader
    ):
        one = poster(f"http://{host}:{receiver.port}/", names, allow)
        assert (await one.post(b"{}", {})).status == status, (host, allow)
        await one.aclose()
    assert names.asked == []


async def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.answers = [307]
    receiver.fields = {"Location": "/elsewhere", "Set-Cookie": "a=b"}
    one = poster(receiver.url, Names([]), "127.0.0.1")
    answer = await one.post(b"{}", {})
    await one.post(b"{}", {})
    await one.aclose()
    assert answer.status == 307
    assert [pushed.path for pushed in receiver.pushed] == ["/hook", "/hook"]
    assert "Cookie" not in receiver.pushed[1].headers


async def test_what_a_busy_receiver_asks_for_is_heard(receiver: Receiver) -> None:
    receiver.answers, receiver.fields = [429], {"Retry-After": "120"}
    one = poster(receiver.url, Names([]), "127.0.0.1")
    answer = await one.post(b"{}", {})
    await one.aclose()
    assert (answer.status, answer.wait.total_seconds()) == (429, 120)


async def test_who_does_not_answer_is_not_waited_for(receiver: Receiver) -> None:
    receiver.silent = asyncio.Event()
    one = poster(receiver.url, Names([]), "127.0.0.1", within_s=0.2)
    answer = await one.post(b"{}", {})
    await one.aclose()
    assert (answer.status, answer.problem) == (None, "it did not answer in time")


async def test_a_name_that_nobody_knows_is_said_to_be_one() -> None:
    class Nobody(Names):
        async def resolve(self, *asked: object, **more: object) -> list[ResolveResult]:
            raise OSError("unknown")

    one = poster("http://hooks.example.com/", Nobody([]), "hooks.example.com")
    answer = await one.post(b"{}", {})
    await one.aclose()
    assert (answer.status, answer.problem) == (None, "its name cannot be resolved")


async def test_why_it_failed_is_said_without_the_url() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # it does not listen
        port = nobody.getsockname()[1]
        one = poster(f"http://127.0.0.1:{port}/secret-path", Names([]), "127.0.0.1")
        answer = await one.post(b"{}", {})
        await one.aclose()
    assert answer.status is None
    assert "cannot be reached" in answer.problem and "secret-path" not in answer.problem
