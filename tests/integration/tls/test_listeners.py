"""Both planes over TLS: who gets in, and what becomes of a certificate that is renewed."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest
from tests.integration.http.rig import LOCAL, recording
from tests.integration.http.wire import Answer, Wire
from tests.integration.tls.rig import GET, HEALTH, Place, TlsWire, sidecar
from tests.support.certificates import Pair, Pki
from tests.support.waiting import eventually_got

ALERT = b"\x15\x03\x02\x00\x02\x02\x46"
"""Fatal: protocol_version."""


def named(pair: Pair, **more: Any) -> dict[str, Any]:
    return {"tls_cert": str(pair.cert), "tls_key": str(pair.key), **more}


async def over(context: ssl.SSLContext, port: int, request: bytes = HEALTH) -> Answer:
    async with TlsWire(port, context) as wire:
        return await wire.ask(request)


async def is_refused(context: ssl.SSLContext, port: int) -> bool:
    """TLS 1.3 lets a client believe that it was taken until it reads."""
    try:
        async with TlsWire(port, context) as wire:
            await wire.send(HEALTH)
            return await wire.reader.read(1) == b""
    except OSError:
        return True


async def serial(context: ssl.SSLContext, port: int) -> str:
    async with TlsWire(port, context) as wire:
        shown = wire.tls.getpeercert()
        assert shown is not None
        return str(shown["serialNumber"])


async def test_one_certificate_serves_both_planes(tmp_path: Path, pki: Pki) -> None:
    said = named(pki.pair("localhost"))
    async with (
        recording() as server,
        sidecar(tmp_path, upstreams={"main": server.url}, **said) as at,
    ):
        assert at.data_url == f"https://{LOCAL}:{at.port}"
        assert at.admin_url == f"https://{LOCAL}:{at.admin_port}"
        assert (await over(pki.trusting(), at.admin_port)).status == 200
        assert (await over(pki.trusting(), at.port, GET)).body == b"ok"
        assert b"X-Forwarded-Proto: https\r\n" in server.last


async def test_a_connection_that_does_not_stay_plain_is_handed_over_with_its_tls(
    tmp_path: Path, pki: Pki
) -> None:
    chunked = b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    post = GET.replace(b"GET", b"POST").removesuffix(b"\r\n") + chunked
    async with (
        recording() as server,
        sidecar(tmp_path, upstreams={"main": server.url}, **named(pki.pair("localhost"))) as at,
        TlsWire(at.port, pki.trusting()) as wire,
    ):
        assert (await wire.ask(GET)).body == b"ok"
        await wire.send(GET + post + GET[:7])
        assert [(await wire.answer()).body for _ in range(2)] == [b"ok", b"ok"]
        await wire.send(GET[7:])
        assert (await wire.answer()).body == b"ok"
        assert [request.endswith(b"hello") for request in server.requests] == [0, 0, 1, 0]


async def test_where_the_server_points_to_itself_clients_are_pointed_to_https(
    tmp_path: Path, pki: Pki
) -> None:
    async with recording() as server:
        moved = b"HTTP/1.1 307 Moved\r\nLocation: %s/y\r\nContent-Length: 0\r\n\r\n"
        server.answer = moved % server.url.encode()
        said = named(pki.pair("localhost"), upstreams={"main": server.url})
        async with sidecar(tmp_path, **said) as at:
            answer = await over(pki.trusting(), at.port, GET)
            assert answer.get(b"location") == b"https://localhost/y"


async def test_without_tls_nothing_is_answered(tmp_path: Path, pki: Pki) -> None:
    async with sidecar(tmp_path, **named(pki.pair("localhost"))) as at:
        for port in (at.port, at.admin_port):
            async with Wire(port) as wire:
                await wire.send(HEALTH)
                assert b"HTTP" not in await wire.everything()


def hello(context: ssl.SSLContext) -> bytes:
    """The first bytes of a client."""
    sent = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname="localhost").do_handshake()
    return sent.read()


async def test_old_protocols_are_refused(tmp_path: Path, pki: Pki) -> None:
    old = pki.trusting()
    with pytest.warns(DeprecationWarning):
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    async with sidecar(tmp_path, **named(pki.pair("localhost"))) as at, Wire(at.port) as wire:
        await wire.send(hello(old))
        assert await wire.everything() in (b"", ALERT)


async def test_a_client_that_offers_http_2_gets_http_1(tmp_path: Path, pki: Pki) -> None:
    modern = pki.trusting()
    modern.set_alpn_protocols(["h2", "http/1.1"])
    async with (
        sidecar(tmp_path, **named(pki.pair("localhost"))) as at,
        TlsWire(at.admin_port, modern) as wire,
    ):
        assert wire.tls.selected_alpn_protocol() == "http/1.1"
        assert (await wire.ask(HEALTH)).status == 200


# Row 18, before the first byte of HTTP.
async def test_a_client_that_does_not_shake_hands_is_not_waited_for(
    tmp_path: Path, pki: Pki
) -> None:
    said = named(pki.pair("localhost"), header_timeout="200ms")
    async with sidecar(tmp_path, **said) as at:
        for port in (at.port, at.admin_port):
            async with Wire(port) as wire:
                await wire.send(b"\x16\x03\x01")
                assert await wire.everything() == b""


@pytest.mark.parametrize("plane", ["data", "admin"])
async def test_where_clients_show_certificates_nobody_gets_in_without(
    tmp_path: Path, pki: Pki, plane: str
) -> None:
    strangers = Pki(tmp_path, "strangers")
    key = "tls_client_ca" if plane == "data" else "admin_tls_client_ca"
    said = named(pki.pair("localhost"), **{key: str(pki.ca)})
    async with sidecar(tmp_path, **said) as at:
        port = at.port if plane == "data" else at.admin_port
        assert await is_refused(pki.trusting(), port)
        assert await is_refused(pki.trusting(strangers.pair("me")), port)
        assert not await is_refused(pki.trusting(pki.pair("me")), port)
        assert await is_refused(pki.trusting(), at.port) is (plane == "data")


async def renewed(at: Place, context: ssl.SSLContext, before: str) -> None:
    at.renewal_asked.set()

    async def shown() -> str:
        return await serial(context, at.port)

    await eventually_got(shown, lambda now: now != before)


async def test_a_renewed_certificate_is_shown_to_new_connections_and_old_ones_stay(
    tmp_path: Path, pki: Pki
) -> None:
    pair = pki.pair("localhost")
    async with (
        sidecar(tmp_path, **named(pair)) as at,
        TlsWire(at.admin_port, pki.trusting()) as old,
    ):
        before = await serial(pki.trusting(), at.port)
        pair.renewed_by(pki.pair("localhost"))
        await renewed(at, pki.trusting(), before)
        shown = await serial(pki.trusting(), at.port)
        await eventually_got(  # the listeners take it one after the other
            lambda: serial(pki.trusting(), at.admin_port), lambda now: now == shown
        )
        assert (await old.ask(HEALTH)).status == 200


async def test_a_renewal_that_cannot_be_used_changes_nothing_and_is_told(
    tmp_path: Path, pki: Pki, caplog: pytest.LogCaptureFixture
) -> None:
    pair = pki.pair("localhost")
    async with sidecar(tmp_path, **named(pair)) as at:
        before = await serial(pki.trusting(), at.port)
        pki.pair("localhost").key.replace(pair.key)
        at.renewal_asked.set()

        async def told() -> str:
            return caplog.text

        await eventually_got(told, lambda text: "does not belong to the certificate" in text)
        assert await serial(pki.trusting(), at.port) == before


async def test_an_authority_that_is_replaced_lets_its_clients_in_no_more(
    tmp_path: Path, pki: Pki
) -> None:
    others = Pki(tmp_path, "others")
    ca = tmp_path / "clients.pem"
    ca.write_bytes(pki.ca.read_bytes())
    leaver = pki.trusting(pki.pair("me"))
    async with sidecar(tmp_path, **named(pki.pair("localhost"), tls_client_ca=str(ca))) as at:
        assert not await is_refused(leaver, at.port)
        ca.write_bytes(others.ca.read_bytes())
        at.renewal_asked.set()

        async def refused() -> bool:
            return await is_refused(leaver, at.port)

        await eventually_got(refused, bool)
        assert not await is_refused(pki.trusting(others.pair("me")), at.port)


async def test_clients_that_leave_without_a_word_leave_nothing_open(
    tmp_path: Path, pki: Pki
) -> None:
    async with sidecar(tmp_path, **named(pki.pair("localhost"))) as at:
        async with TlsWire(at.port, pki.trusting()) as wire:
            wire.reset()
        async with asyncio.timeout(5):
            assert (await over(pki.trusting(), at.admin_port)).status == 200
