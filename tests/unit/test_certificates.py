"""When the listeners' files are read again."""

import asyncio
from pathlib import Path

import pytest
from tests.support.certificates import Pki

from subagent_sidecar.certificates import CertificateKeeper
from subagent_sidecar.tls import Renewable, ServerFiles


class Looks:
    """A `sleep` that lets a keeper look `number` times; after that it waits for ever."""

    def __init__(self, number: int) -> None:
        self._left = number
        self.over = asyncio.Event()

    async def __call__(self, _: float) -> None:
        if self._left == 0:
            self.over.set()
            await asyncio.Event().wait()
        self._left -= 1


class Counted(Renewable):
    renewals = 0

    def renew(self) -> None:
        self.renewals += 1
        super().renew()


async def watched(kept: Counted, looks: int) -> None:
    sleep = Looks(looks)
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(CertificateKeeper([kept], sleep=sleep).watch())
        await sleep.over.wait()
        watching.cancel()


async def test_files_that_have_not_changed_are_left_alone(tmp_path: Path) -> None:
    pair = Pki(tmp_path).pair("localhost")
    kept = Counted(ServerFiles(cert=pair.cert, key=pair.key))
    await watched(kept, 5)
    assert kept.renewals == 0


async def test_a_change_is_taken_up_once_it_has_come_to_rest(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pki = Pki(tmp_path)
    pair = pki.pair("localhost")
    kept = Counted(ServerFiles(cert=pair.cert, key=pair.key))
    looks = [1, 2, 3]
    seen: list[int] = []

    async def sleep(_: float) -> None:
        seen.append(kept.renewals)
        if not looks:
            raise asyncio.CancelledError
        if looks.pop() == 3:
            pki.pair("a").cert.replace(pair.cert)

    with pytest.raises(asyncio.CancelledError):
        await CertificateKeeper([kept], sleep=sleep).watch()
    assert seen == [0, 0, 1, 1]  # the change, the same once more, and then no further news
    assert "certificate not renewed (a file has changed): the key in" in caplog.text
