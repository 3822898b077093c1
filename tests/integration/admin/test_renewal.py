"""Tokens of the admin plane that are replaced."""

import asyncio
from pathlib import Path

from tests.integration.admin.rig import TOKENS, desk, guarded, guarded_settings

ANOTHER = "another-token-of-a-viewer"


async def test_a_token_that_is_taken_away_ends_the_stream_it_had_opened(tmp_path: Path) -> None:
    renewal = asyncio.Event()
    async with guarded(tmp_path, renewal_asked=renewal) as at, at.front.admin() as wire:
        await wire.send(
            b"GET /v1/events HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
            b"Authorization: Bearer %s\r\n\r\n" % TOKENS["viewer"].encode()
        )
        assert b" 200 " in (await wire.head())[0]
        (tmp_path / "viewer").write_text(ANOTHER, "utf-8")
        renewal.set()
        assert b"0\r\n\r\n" in await wire.everything()
        assert (await at.send("GET", "/v1/tasks", TOKENS["viewer"])).status == 401
        assert (await at.send("GET", "/v1/tasks", ANOTHER)).status == 200


async def test_a_token_that_was_replaced_while_the_sidecar_started_is_taken_up(
    tmp_path: Path,
) -> None:
    found = guarded_settings(tmp_path)
    (tmp_path / "viewer").write_text(ANOTHER, "utf-8")
    async with desk(found) as at:
        assert (await at.send("GET", "/v1/tasks", TOKENS["viewer"])).status == 401
        assert (await at.send("GET", "/v1/tasks", ANOTHER)).status == 200
