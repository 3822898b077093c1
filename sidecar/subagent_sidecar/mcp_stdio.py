"""`subagent-sidecar mcp`: for MCP clients that start a program and speak over its stdin and stdout.

The program passes messages on to a sidecar that runs, and its answers back. It knows nothing of
what they say. When its client closes stdin, it ends its MCP session there.
"""

import ssl
import sys
from contextlib import suppress

import anyio
import httpx2
from mcp.client.streamable_http import streamable_http_client
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage

_CONNECT_S = 5.0
_PATH = "/sidecar/mcp"


class Unreachable(Exception):
    """No sidecar there; says so in one sentence."""


async def bridge(
    server: str, *, session: str | None, supervisor_key: str | None, tls: ssl.SSLContext
) -> None:
    """Until stdin ends. `server` is the URL of a data plane, `tls` how it is known if that is
    https. Raises Unreachable at the start."""
    said = {"x-subagent-session": session, "x-subagent-key": supervisor_key}
    headers = {name: value for name, value in said.items() if value is not None}
    timeout = httpx2.Timeout(None, connect=_CONNECT_S)
    async with httpx2.AsyncClient(
        headers=headers, timeout=timeout, verify=tls, trust_env=False
    ) as http:
        await _greet(http, server)
        async with (
            streamable_http_client(server + _PATH, http_client=http) as (answers, questions),
            stdio_server() as (stdin, stdout),
            stdin,
            stdout,  # which end with us, or stdio_server would wait for them
            anyio.create_task_group() as both,
        ):
            both.start_soon(_pump, answers, stdout)
            await _pump(stdin, questions)
            both.cancel_scope.cancel()


async def _greet(http: httpx2.AsyncClient, server: str) -> None:
    try:
        answer = await http.get(f"{server}/sidecar/health", timeout=_CONNECT_S)
    except httpx2.HTTPError as error:
        if (untrusted := _untrusted(error)) is not None:
            raise Unreachable(
                f"what answers at {server} has a certificate that is not trusted "
                f"({untrusted.verify_message}); name the authority that signed it with --ca or "
                "SUBAGENT_SIDECAR_CA"
            ) from error
        why = str(error) or type(error).__name__
        raise Unreachable(
            f"no sidecar answers at {server} ({why}); start one with `subagent-sidecar serve`, or "
            "set --server to its data plane"
        ) from error
    if answer.status_code != 200 or "status" not in answer.text:
        raise Unreachable(
            f"what answers at {server} is not a sidecar's data plane (HTTP {answer.status_code}); "
            "set --server to the address of --listen, http://127.0.0.1:8460 by default"
        )
    await _present(http, server)


async def _present(http: httpx2.AsyncClient, server: str) -> None:
    """Be told of a key that is missing or not good now, and not with each message of the client's:
    where there is nothing, whoever may come in is told just that."""
    with suppress(httpx2.HTTPError):
        answer = await http.get(f"{server}/sidecar/", timeout=_CONNECT_S)
        if answer.status_code == 401:
            raise Unreachable(
                f"the sidecar at {server} serves supervisors by key, and this one is missing, "
                "unknown, expired or revoked: set SUBAGENT_SIDECAR_SUPERVISOR_KEY to one that "
                "`subagentctl keys create NAME` makes"
            )


def _untrusted(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    """What the client's errors are about, if it is that: they wrap one another."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error


async def _pump(source: object, target: object) -> None:
    """Messages as they come. What cannot be read is told on stderr, and left out."""
    with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError, anyio.EndOfStream):
        async for message in source:  # type: ignore[attr-defined]
            if isinstance(message, SessionMessage):
                await target.send(message)  # type: ignore[attr-defined]
            else:
                [first, *_] = str(message).splitlines() or [type(message).__name__]
                print(f"subagent-sidecar mcp: {first}", file=sys.stderr, flush=True)
