"""An upstream that is down is no flood in the log (row 1)."""

import logging
import socket

import pytest
from tests.integration.http.rig import LOCAL, sidecar

REQUESTS = (
    b"GET /threads/t/runs/r HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /threads/search HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}",
    b"GET /anything HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
)


async def test_of_all_refused_requests_the_first_is_worth_a_line_for_the_operator(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.socket() as nobody:  # bound, so that nobody else gets the port, and not listening
        nobody.bind((LOCAL, 0))
        url = f"http://{LOCAL}:{nobody.getsockname()[1]}"
        async with sidecar(f"gpu={url}", coalesce="0") as front:
            for request in REQUESTS * 4:
                async with front.wire() as wire:
                    assert (await wire.ask(request)).status == 502
    told = [each for each in caplog.records if each.name == "subagent_sidecar.proxy.telling"]
    assert [each.levelno for each in told] == [logging.WARNING] + [logging.DEBUG] * 11
    assert {vars(each)["upstream"] for each in told} == {"gpu"}
