"""The recipe for JavaScript on docs/sessions.md, as it stands there."""

import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.rig.node import node
from tests.integration.client.test_keeper import WITHIN, until
from tests.support.session_sidecar import Answer, Said, SessionSidecar

PAGE = Path(__file__).parents[3] / "docs" / "sessions.md"


@pytest.fixture
def sidecar() -> Iterator[SessionSidecar]:
    with SessionSidecar().running() as running:
        yield running


def recipe() -> str:
    [found] = re.findall(r"^```js\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
    return str(found)


def test_it_renews_the_lease_and_ends_the_session_at_sigterm(sidecar: SessionSidecar) -> None:
    def answer(said: Said) -> Answer:
        second = len(sidecar.of("heartbeat")) == 2
        return (410, {}) if second else (200, {"heartbeat_s": 0.02})

    sidecar.answer = answer
    given = f'const SIDECAR = "{sidecar.url}", session = "a/b"; setInterval(() => {{}}, 1e6);\n'
    script = given + recipe().replace("?? 5", "?? 0.02")
    process = subprocess.Popen([node(), "--input-type=module", "-e", script])
    try:
        until(lambda: len(sidecar.of("heartbeat", "a/b")) >= 4)
        process.send_signal(signal.SIGTERM)
        assert process.wait(WITHIN) == 143
    finally:
        process.kill()
        process.wait()
    reopens = ["reopen" in said.body for said in sidecar.of("heartbeat")]
    assert reopens[:4] == [True, False, True, False]
    assert [end.body for end in sidecar.of("end", "a/b")] == [{"reason": "terminated"}]
