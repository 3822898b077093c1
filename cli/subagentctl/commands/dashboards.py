"""`subagentctl dashboards`."""

import shlex
from pathlib import Path

import click

from subagentctl.app import App, shared_options
from subagentctl.errors import Misused
from subagentctl.exporting import Exported, bundled, contents, export
from subagentctl.outside import emit
from subagentctl.render import as_json
from subagentctl.text import clean

_NEXT = """
Grafana, Prometheus, Tempo and a collector on this machine, with all of it:
  docker compose -f {plain} up -d
  # on Docker Desktop:
  docker compose -f {plain} -f {desktop} up -d
  # the sidecar, where its record is, with traces:
  subagent-sidecar serve --upstream URL --otlp-endpoint http://127.0.0.1:4318
  # then open http://localhost:3000

With your own: import grafana/*.json, and name alerts/*.yaml in the `rule_files`
of Prometheus.
"""


@click.group(
    short_help="Grafana dashboards, alert rules and a compose file, as files.",
    invoke_without_command=True,
)
@click.pass_context
def dashboards(ctx: click.Context) -> None:
    """Grafana dashboards, the alert and recording rules, and a compose file that shows them."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@dashboards.command(name="export", short_help="Write them into a folder.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Overwrite files that are there and differ.")
@shared_options
@click.pass_obj
def export_(app: App, folder: Path, force: bool) -> None:
    """Write dashboards, rules and the compose file into DIR, which is made if it is not there. No
    sidecar is asked.

    Where a file is there and differs, nothing is written without --force. Other files in DIR are
    left alone.
    """
    if app.output == "csv":
        raise Misused("what was exported is told as text or, with -o json, as one document.")
    exported = export(folder, contents(bundled()), force=force)
    emit(_record(exported) if app.output == "json" else _told(exported))


def _record(exported: Exported) -> str:
    return as_json(
        {
            "folder": str(exported.folder),
            "written": exported.written,
            "unchanged": exported.unchanged,
        }
    )


def _told(exported: Exported) -> str:
    folder = clean(str(exported.folder))
    lines = [f"{folder}/{name}" for name in exported.written]
    if exported.unchanged:
        lines.append(f"there already, as they should be: {len(exported.unchanged)}")
    plain, desktop = (
        shlex.quote(f"{folder}/{name}") for name in ("compose.yaml", "compose.desktop.yaml")
    )
    return "".join(f"{line}\n" for line in lines) + _NEXT.format(plain=plain, desktop=desktop)


COMMANDS = (dashboards,)
