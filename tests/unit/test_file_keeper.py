"""When files that may be replaced are read again."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.support.certificates import Pki
from tests.support.waiting import eventually

from subagent_sidecar.compose.renewing import Renewing
from subagent_sidecar.file_keeper import FileKeeper
from subagent_sidecar.renewals import renew_certificates
from subagent_sidecar.tls import Renewable, ServerFiles


class Reader:
    """What is done on renewal: it says why, and waits for as long as it is `held`."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.begun = 0
        self.free = asyncio.Event()
        self.free.set()

    async def __call__(self, why: str) -> None:
        self.begun += 1
        await self.free.wait()
        self.told.append(why)


async def looked(file: Path, *between: Callable[[], object]) -> list[int]:
    """How often a file was read at each look; before each, what is `between` is done."""
    reader, seen, steps = Reader(), list[int](), iter(between)

    async def sleep(_: float) -> None:
        seen.append(len(reader.told))
        step = next(steps, None)
        if step is None:
            raise asyncio.CancelledError
        step()

    with pytest.raises(asyncio.CancelledError):
        await FileKeeper([file], reader, sleep=sleep).watch()
    assert set(reader.told) <= {"a file has changed"}
    return seen


def nothing() -> None: ...


async def test_files_that_have_not_changed_are_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("one", "utf-8")
    assert await looked(file, nothing, nothing, nothing) == [0, 0, 0, 0]


async def test_a_change_is_taken_up_once_it_has_come_to_rest(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("one", "utf-8")

    def write(text: str) -> Callable[[], object]:
        return lambda: file.write_text(text, "utf-8")

    steps = (write("half"), write("a whole one"), nothing, nothing, file.unlink, nothing)
    assert await looked(file, *steps) == [0, 0, 0, 1, 1, 1, 2]


async def test_a_file_is_not_read_by_two_at_a_time(tmp_path: Path) -> None:
    reader = Reader()
    keeper = FileKeeper([tmp_path / "secret"], reader)
    reader.free.clear()
    async with asyncio.TaskGroup() as group:
        group.create_task(keeper.renew(why="first"))
        await eventually(lambda: reader.begun == 1)
        group.create_task(keeper.renew(why="second"))
        for _ in range(10):  # as often as it could have begun meanwhile
            await asyncio.to_thread(nothing)
        assert reader.begun == 1
        reader.free.set()
    assert reader.told == ["first", "second"]


async def test_whoever_is_busy_when_it_is_asked_reads_once_more(tmp_path: Path) -> None:
    """A signal that comes while files are read may be about those that were read already."""
    busy, other, asked = Reader(), Reader(), asyncio.Event()
    async with AsyncExitStack() as stack:
        renewing = Renewing(stack)
        renewing.keep([tmp_path / "a"], busy, name="a")
        renewing.keep([tmp_path / "b"], other, name="b")
        renewing.heed(asked)
        busy.free.clear()
        asked.set()
        await eventually(lambda: busy.begun == 1)
        asked.set()
        busy.free.set()
        await eventually(lambda: len(other.told) == 2)
    assert busy.told == other.told == ["SIGHUP", "SIGHUP"]


async def test_a_certificate_that_cannot_be_used_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pki = Pki(tmp_path)
    pair = pki.pair("localhost")
    kept = Renewable(ServerFiles(cert=pair.cert, key=pair.key))
    pki.pair("a").cert.replace(pair.cert)
    await renew_certificates([kept], "SIGHUP")
    assert "certificate not renewed (SIGHUP): the key in" in caplog.text
