"""The options that settings can be given by, of every command that reads settings."""

from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any

import click

from .core.policy_names import BUNDLED, NONE

_Command = Callable[..., Any]

_config = click.option(
    "--config",
    type=click.Path(path_type=Path),
    envvar="SUBAGENT_SIDECAR_CONFIG",
    help="YAML file with settings; see docs/reference/config.md.",
)
_upstream = click.option(
    "--upstream",
    "upstreams",
    multiple=True,
    metavar="[NAME=]URL",
    envvar="SUBAGENT_SIDECAR_UPSTREAM",
    help="An Agent Protocol server; several with several names.",
)
_listen = click.option(
    "--listen",
    metavar="HOST:PORT",
    envvar="SUBAGENT_SIDECAR_LISTEN",
    help="Where supervisors connect.  [default: 127.0.0.1:8460]",
)
_admin_listen = click.option(
    "--admin-listen",
    metavar="HOST:PORT",
    envvar="SUBAGENT_SIDECAR_ADMIN_LISTEN",
    help="Where subagentctl connects.  [default: 127.0.0.1:8461]",
)
_auth = click.option(
    "--auth",
    type=click.Choice(("on", "off")),
    envvar="SUBAGENT_SIDECAR_AUTH",
    help="Serve supervisors by key only; see `subagentctl keys`.  [default: off]",
)
_store = click.option(
    "--store",
    metavar="URL",
    envvar="SUBAGENT_SIDECAR_STORE",
    help="sqlite:///PATH or memory:  [default: sqlite:///subagent-sidecar.db]",
)
_policy = click.option(
    "--policy",
    type=click.Path(),
    multiple=True,
    metavar="FILE",
    envvar="SUBAGENT_SIDECAR_POLICY",
    help="Which tasks may start: a YAML file, or one of "
    f"{', '.join(BUNDLED)}, {NONE}; several hold together.  [default: default]",
)
_otlp_endpoint = click.option(
    "--otlp-endpoint",
    metavar="URL",
    envvar="SUBAGENT_SIDECAR_OTLP_ENDPOINT",
    help="Where spans go: an OTLP collector, or `console`.  [default: by OTEL_*, else nowhere]",
)
_ALL = (_config, _upstream, _listen, _admin_listen, _auth, _store, _policy, _otlp_endpoint)


def settings_options(command: _Command) -> _Command:
    """All of them, in the order in which --help tells them."""
    return reduce(lambda made, option: option(made), reversed(_ALL), command)
