"""A sidecar as users have it: a process of its own, to be killed and started again.

async with SidecarProcess(tmp_path, upstreams={"main": server.url}) as sidecar:
    ...                      # sidecar.url, sidecar.admin_url
    await sidecar.kill9()
    await sidecar.start()    # same ports, same store
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from tests.support.ports import free_port
from tests.support.waiting import eventually_got

FAILPOINT = "SUBAGENT_SIDECAR_FAILPOINT"

_READY_WITHIN = 60.0
_STOP_WITHIN = 30.0


class SidecarProcess:
    """`subagent-sidecar serve` with its store and log in `folder`.

    `upstreams` are names and URLs; `config` is what goes into its config file, by key (see
    docs/reference/config.md), and no policy unless it names one; `env` is added to the environment
    of every start.
    """

    def __init__(
        self,
        folder: Path,
        *,
        upstreams: Mapping[str, str],
        config: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.store_path = folder / "sidecar.db"
        self.log_path = folder / "sidecar.log"
        self._config_path = folder / "sidecar.yaml"
        self._config_path.write_text(json.dumps({"policy": "none", **(config or {})}), "utf-8")
        self._upstreams = dict(upstreams)
        self._env = dict(env or {})
        self._port = free_port()
        self._admin_port = free_port()
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        return self._port

    @property
    def admin_url(self) -> str:
        return f"http://127.0.0.1:{self._admin_port}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    @property
    def log(self) -> str:
        """Everything it wrote since the first start."""
        return self.log_path.read_text("utf-8", errors="replace")

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.kill9()
        if exc is not None:
            exc.add_note("the sidecar's log ends:\n" + "\n".join(self.log.splitlines()[-40:]))

    async def start(self, *, failpoint: str | None = None) -> None:
        """Start and wait until it answers. With a failpoint it will kill itself there."""
        env = {**os.environ, **self._env}
        env.pop(FAILPOINT, None)
        if failpoint is not None:
            env[FAILPOINT] = failpoint
        with self.log_path.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command(), env=env, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
            )
        await self._ready()

    def _command(self) -> list[str]:
        command = [sys.executable, "-m", "subagent_sidecar", "serve"]
        command += ["--config", str(self._config_path)]
        command += ["--listen", f"127.0.0.1:{self._port}"]
        command += ["--admin-listen", f"127.0.0.1:{self._admin_port}"]
        command += ["--store", f"sqlite:///{self.store_path}"]
        for name, url in self._upstreams.items():
            command += ["--upstream", f"{name}={url}"]
        return command

    async def _ready(self) -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:

            async def ask() -> bool:
                assert self._process is not None
                if self._process.returncode is not None:
                    raise AssertionError(f"it ended at once:\n{self.log}")
                try:
                    async with session.get(f"{self.url}/sidecar/health") as answer:
                        return answer.status == 200
                except (aiohttp.ClientError, TimeoutError):  # a machine may be that slow
                    return False

            await eventually_got(ask, bool, within=_READY_WITHIN)

    async def restart(self) -> None:
        """kill -9 and start again, without a failpoint."""
        await self.kill9()
        await self.start()

    async def kill9(self) -> int | None:
        """SIGKILL, unless it is dead already; returns how it ended, when it has."""
        if self._process is None:
            return None
        if self._process.returncode is None:
            self._process.kill()
        return await self._process.wait()

    async def terminate(self) -> int:
        """SIGTERM; returns the exit code."""
        assert self._process is not None, "not started"
        self._process.terminate()
        return await asyncio.wait_for(self._process.wait(), _STOP_WITHIN)

    async def died_at_failpoint(self) -> None:
        """Wait for it to kill itself; AssertionError if it ends any other way, or does not."""
        assert self._process is not None, "not started"
        try:
            code = await asyncio.wait_for(self._process.wait(), _READY_WITHIN)
        except TimeoutError:
            raise AssertionError(f"it never came to the failpoint:\n{self.log}") from None
        assert code == -signal.SIGKILL, f"ended with {code}:\n{self.log}"
