"""`subagent-sidecar`: options -> Settings -> compose -> run."""

import asyncio
import gc
import importlib
import logging
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import click
import uvloop

from . import __version__, compose, logs, tls
from .config import BadSettings, Settings, settings
from .core import keys
from .demo import play
from .errors import ConfigError, StoreCorrupt, StoreError
from .options import settings_options

_log = logging.getLogger("subagent_sidecar")

EXIT_CONFIG = 64
EXIT_UNREACHABLE = 69
EXIT_STORE = 74
_BY_HAND = "nothing ends by itself (reap_interval is 0); `subagentctl reap` does it by hand"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="subagent-sidecar")
def main() -> None:
    """A proxy that records every async subagent task, and holds starts to policies."""


@main.command()
@settings_options
def serve(config: Path | None, upstreams: Sequence[str], **flags: Any) -> None:
    """Run the sidecar until SIGTERM or Ctrl-C."""
    found, policies = _read(config, upstreams, flags)
    logs.set_up(level=found.log_level, form=found.log_format)
    try:
        listeners = compose.bind(found)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(found, listeners, policies))
    except ConfigError as error:
        _fail(error.problems, EXIT_CONFIG)
    except StoreError as error:
        hint = ""
        if isinstance(error, StoreCorrupt):
            hint = (
                ". If it is not a sidecar's store, --store is wrong; if it is, move it aside and "
                "start again: running tasks are on their servers"
            )
        _fail([error.message + hint], EXIT_STORE)


@main.command()
@settings_options
def check(config: Path | None, upstreams: Sequence[str], **flags: Any) -> None:
    """Check the configuration and policies.

    Exits with 0, or with 64 and a line for every problem.
    """
    found, policies = _read(config, upstreams, flags)
    click.echo(f"configuration is valid; upstreams: {', '.join(compose.sources(found))}")
    click.echo(f"admin plane: {compose.operators_admitted(found)}")
    click.echo(f"auth: {compose.supervisors_admitted(found)}")
    click.echo(f"store: {found.store}, {compose.store_engine(found)}")
    click.echo(f"policy: {policies.state}")
    click.echo(f"traces: {compose.export_to(found) or 'not exported'}")
    if found.push:
        click.echo(f"push: ends are told to {', '.join(each.target.name for each in found.push)}")
    if not found.reap_interval:
        click.echo(f"reaping: {_BY_HAND}")
    if (pushed := compose.push_to(found)) is not None:
        click.echo(f"metrics: scraped, and pushed to {pushed}")
    for risk in compose.risks(found):
        click.echo(f"warning: {risk.text}")


@main.command()
@click.option("--keep", is_flag=True, help="Leave the server and the sidecar running.")
def demo(keep: bool) -> None:
    """Play the whole story on real parts in under a minute."""
    sys.exit(asyncio.run(play(keep=keep, out=click.echo, err=partial(click.echo, err=True))))


@main.command(short_help="Serve the tools to MCP clients that start a program.")
@click.option(
    "--server",
    metavar="URL",
    default="http://127.0.0.1:8460",
    show_default=True,
    envvar="SUBAGENT_SIDECAR_SERVER",
    help="The data plane of a sidecar that runs.",
)
@click.option(
    "--session",
    metavar="NAME",
    envvar="SUBAGENT_SIDECAR_SESSION",
    help="The session of all tasks, which then outlive the client.  [default: one of its own]",
)
@click.option(
    "--supervisor-key",
    metavar="TEXT",
    envvar="SUBAGENT_SIDECAR_SUPERVISOR_KEY",
    help="The supervisor's key, where the sidecar asks for one. Others on this machine can read a "
    "command line: prefer the variable.",
)
@click.option(
    "--ca",
    metavar="FILE",
    type=click.Path(path_type=Path),
    envvar="SUBAGENT_SIDECAR_CA",
    help="The authority behind the certificate of an https server, in PEM, in place of the "
    "machine's own ones.",
)
@click.option(
    "--cert",
    metavar="FILE",
    type=click.Path(path_type=Path),
    envvar="SUBAGENT_SIDECAR_CERT",
    help="A client certificate, for a sidecar that asks for one.",
)
@click.option(
    "--key",
    metavar="FILE",
    type=click.Path(path_type=Path),
    envvar="SUBAGENT_SIDECAR_KEY",
    help="Its key, if that is not in the same file.",
)
def mcp(
    server: str,
    session: str | None,
    supervisor_key: str | None,
    ca: Path | None,
    cert: Path | None,
    key: Path | None,
) -> None:
    """Serve the tools over stdin and stdout, to MCP clients that start programs.

    Exits with 0 when stdin ends, with 69 when no sidecar runs there, or with 64 when a file
    cannot be used.
    """
    supervisor_key = (supervisor_key or "").strip() or None
    if supervisor_key is not None and keys.presented(supervisor_key) is None:
        _fail(["--supervisor-key is not a supervisor's key: ssk_..., all of it"], EXIT_CONFIG)
    stdio = importlib.import_module("subagent_sidecar.mcp_stdio")  # takes seconds to load
    try:
        context = tls.client_context(tls.ClientFiles(ca=ca, cert=cert, key=key))
        asyncio.run(
            stdio.bridge(
                server.rstrip("/"), session=session, supervisor_key=supervisor_key, tls=context
            )
        )
    except tls.BadFile as error:
        _fail([f"--{error.part} {error}"], EXIT_CONFIG)
    except stdio.Unreachable as error:
        _fail([str(error)], EXIT_UNREACHABLE)


def _read(
    config: Path | None, upstreams: Sequence[str], flags: dict[str, Any]
) -> tuple[Settings, compose.FirstPolicies]:
    """What was asked for; or the end of this process, with every problem there is with it."""
    found = policies = None
    problems: list[str] = []
    given = {**flags, "policy": flags["policy"] or None}
    try:
        found = settings(file=config, flags=given, upstream_flags=upstreams, environ=os.environ)
        policy = found.policy
    except BadSettings as error:
        problems += error.problems
        policy = error.policy
    try:
        policies = compose.read_policies(policy)
    except ConfigError as error:
        problems += error.problems
    if found is None or policies is None:
        _fail(problems, EXIT_CONFIG)
    return found, policies


def _fail(problems: Sequence[str], code: int) -> NoReturn:
    for problem in problems:
        click.echo(f"subagent-sidecar: {problem}", err=True)
    sys.exit(code)


async def _serve(
    found: Settings, listeners: compose.Listeners, policies: compose.FirstPolicies
) -> None:
    stop, reload_asked, renewal_asked = asyncio.Event(), asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def reload() -> None:
        reload_asked.set()
        renewal_asked.set()

    loop.add_signal_handler(signal.SIGHUP, reload)
    for risk in compose.risks(found):
        _log.warning("%s", risk.text, extra={"action": risk.action})
    async with compose.running(
        found,
        listeners,
        policies=policies,
        reload_asked=reload_asked,
        renewal_asked=renewal_asked,
    ):
        _calm_collector()
        _log.info(
            "ready: supervisors at %s, subagentctl at %s; upstreams: %s; store: %s; policy: %s; "
            "traces: %s",
            listeners.data_url,
            listeners.admin_url,
            ", ".join(compose.sources(found)),
            found.store,
            policies.state,
            compose.export_to(found) or "not exported",
            extra={"action": "ready"},
        )
        if not found.reap_interval:
            _log.info("reaping: %s", _BY_HAND, extra={"action": "reaping_off"})
        await stop.wait()
        _log.info("stopping: finishing requests", extra={"action": "stopping"})
    _log.info("stopped", extra={"action": "stopped"})


def _calm_collector() -> None:
    """Requests make no cycles worth hunting often; what start-up made will never be garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


if __name__ == "__main__":
    main()
