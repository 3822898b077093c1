"""Credentials that stand in files: replaced while requests run, and readable by too many."""

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.integration.auth.rig import request
from tests.integration.http.rig import recording, settings_for
from tests.integration.http.wire import Wire

from subagent_sidecar import compose
from subagent_sidecar.__main__ import main


async def test_a_credential_is_replaced_while_requests_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    file = tmp_path / "key"
    file.write_text("before the start\n")
    renewal_asked = asyncio.Event()
    async with recording() as server:
        upstream = {"url": server.url, "headers": {"x-api-key": f"${{file:{file}}}"}}
        found = settings_for(upstreams={"team": upstream}, drain_timeout="100ms")
        listeners = compose.bind(found)
        file.write_text("first\n")
        async with (
            compose.running(found, listeners, renewal_asked=renewal_asked),
            Wire(listeners.data.getsockname()[1]) as wire,
        ):

            async def presented() -> bytes:
                assert (await wire.ask(request("GET /x"))).status == 200
                return server.last.partition(b"x-api-key: ")[2].partition(b"\r\n")[0]

            assert await presented() == b"first"
            new = tmp_path / "new"
            new.write_text("second\n")
            new.rename(file)
            renewal_asked.set()
            seen = {await presented()}
            async with asyncio.timeout(30):
                while (now := await presented()) != b"second":
                    seen.add(now)
            assert seen <= {b"first", b"second"}
    assert "credential for upstream team renewed (SIGHUP): x-api-key" in caplog.messages


@pytest.mark.parametrize("key", ["headers", "admin_tokens", "push"])
def test_a_file_of_a_secret_that_everybody_may_read_is_warned_of(tmp_path: Path, key: str) -> None:
    file = tmp_path / "secret"
    file.write_text("whsec_bG9uZyBlbm91Z2ggdG8gYmUgYSBzZWNyZXQ=\n")
    said: dict[str, Any] = {
        "headers": {},
        "admin_tokens": {"admin_tokens": {"ann": {"role": "viewer", "token_file": "secret"}}},
        "push": {
            "push": [{"name": "p", "url": "https://h.example", "secret_file": "secret"}],
            "push_allow": ["h.example"],
        },
    }
    headers = {"x-api-key": "${file:secret}"} if key == "headers" else {}
    config = {"upstreams": {"a": {"url": "http://h", "headers": headers}}, **said[key]}
    (tmp_path / "c.yaml").write_text(json.dumps(config))
    warning = f"warning: every user of this machine may read the secret in {file}"
    for mode, warned in ((0o644, True), (0o640, False)):
        file.chmod(mode)
        result = CliRunner().invoke(main, ["check", "--config", str(tmp_path / "c.yaml")])
        assert result.exit_code == 0, result.stderr
        assert (warning in result.stdout, "whsec" in result.output) == (warned, False)
