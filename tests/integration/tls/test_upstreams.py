"""Agent servers over TLS: whom the sidecar takes for one, and what it shows them."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop
from tests.integration.http.rig import LOCAL, Recorder
from tests.integration.http.wire import Answer, Wire
from tests.integration.tls.rig import GET, sidecar
from tests.integration.upstream.raw_server import Peer, Script, serving
from tests.support.certificates import Pki

SOCKET = (
    b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n\r\n"
)


@asynccontextmanager
async def in_front_of(
    script: Script, tls: ssl.SSLContext, folder: Path, *, host: str = "localhost", **said: Any
) -> AsyncIterator[Wire]:
    """A client of a sidecar whose only upstream runs `script` on each connection."""
    async with serving(script, tls=tls) as server:
        body = {"url": f"https://{host}:{server.port}", **said}
        async with sidecar(folder, upstreams={"main": body}) as at, Wire(at.port) as wire:
            yield wire


async def asked(tls: ssl.SSLContext, folder: Path, **said: Any) -> Answer:
    async with in_front_of(Recorder().script, tls, folder, **said) as wire:
        return await wire.ask(GET)


async def test_an_authority_of_its_own_vouches_for_an_upstream(tmp_path: Path, pki: Pki) -> None:
    assert (await asked(pki.serving("localhost"), tmp_path, tls_ca=str(pki.ca))).body == b"ok"


async def test_an_upstream_may_be_known_by_its_address(tmp_path: Path, pki: Pki) -> None:
    answer = await asked(pki.serving(LOCAL), tmp_path, host=LOCAL, tls_ca=str(pki.ca))
    assert answer.body == b"ok"


@pytest.mark.parametrize(
    ("names", "trusted", "why"),
    [
        (["localhost"], False, b"unable to get local issuer certificate"),
        (["other.example"], True, b"Hostname mismatch"),
        ([LOCAL], True, b"Hostname mismatch"),
    ],
)
async def test_nobody_else_is_taken_for_it(
    tmp_path: Path, pki: Pki, names: list[str], trusted: bool, why: bytes
) -> None:
    ca = {"tls_ca": str(pki.ca if trusted else Pki(tmp_path, "others").ca)}
    answer = await asked(pki.serving(*names), tmp_path, **ca)
    assert answer.status == 502
    assert b"has a certificate that is not trusted (" in answer.body
    assert why in answer.body


async def test_who_turns_the_check_off_reaches_whoever_answers(tmp_path: Path, pki: Pki) -> None:
    answer = await asked(pki.serving("other.example"), tmp_path, tls_verify=False)
    assert answer.body == b"ok"


async def test_a_server_is_told_its_name_and_offered_http_1_alone(tmp_path: Path, pki: Pki) -> None:
    names: list[str | None] = []
    tls = pki.serving("localhost")
    tls.set_alpn_protocols(["h2", "http/1.1"])

    def named(shown: ssl.SSLSocket | ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        names.append(name)

    tls.sni_callback = named
    assert (await asked(tls, tmp_path, tls_ca=str(pki.ca))).body == b"ok"
    assert names == ["localhost"]


async def test_a_client_certificate_is_shown(tmp_path: Path, pki: Pki) -> None:
    ours = pki.pair("sidecar")
    said = {"tls_ca": str(pki.ca), "tls_cert": str(ours.cert), "tls_key": str(ours.key)}
    answer = await asked(pki.serving("localhost", clients_of=pki), tmp_path, **said)
    assert answer.body == b"ok"


async def test_a_server_that_wants_one_and_gets_none_is_unreachable(
    tmp_path: Path, pki: Pki
) -> None:
    tls = pki.serving("localhost", clients_of=pki)
    answer = await asked(tls, tmp_path, tls_ca=str(pki.ca))
    assert answer.status == 502
    assert b"certificate" in answer.body


async def test_sockets_are_held_to_the_same(tmp_path: Path, pki: Pki) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
            b"Upgrade: websocket\r\nSec-WebSocket-Accept: y\r\n\r\nhello"
        )
        await peer.gone()

    tls = pki.serving("localhost")
    async with in_front_of(script, tls, tmp_path, tls_ca=str(pki.ca)) as wire:
        assert (await wire.ask(SOCKET)).status == 101
        async with asyncio.timeout(5):
            assert await wire.reader.readexactly(5) == b"hello"
    stranger = Pki(tmp_path, "others")
    async with in_front_of(script, tls, tmp_path, tls_ca=str(stranger.ca)) as wire:
        assert (await wire.ask(SOCKET)).status == 502


# An attacker on the wire cannot forge an end, but can cut a connection: row 4.
@pytest.mark.parametrize("says_good_bye", [True, False])
async def test_an_answer_without_a_length_is_whole_only_if_its_sender_said_so(
    tmp_path: Path, pki: Pki, says_good_bye: bool
) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nthe first half")
        if not says_good_bye:
            peer.hang_up()
            await peer.gone()

    if not isinstance(asyncio.get_running_loop(), uvloop.Loop):
        pytest.skip("asyncio's own loop tells a cut connection and a good-bye alike")
    said = {"tls_ca": str(pki.ca)}
    async with in_front_of(script, pki.serving("localhost"), tmp_path, **said) as wire:
        answer = await wire.ask(GET)
        assert (answer.body, answer.complete) == (b"the first half", says_good_bye)
