"""Every fixed text of the demo, in the order in which a newcomer reads it."""

from collections.abc import Iterable, Iterator

from .parts import Ports
from .render import Style

SERVER, SIDECAR, SUPERVISOR = "agent server", "sidecar", "supervisor"
INDENT = 2
_NAMES = 14

NEW_URL = 'url="http://127.0.0.1:8460"'
INSTALL = 'The demo needs its extra parts: pip install "subagent-sidecar[demo]"'


def prologue(style: Style) -> Iterator[str]:
    yield ""
    yield style.heading("A supervisor, two async subagents, and the sidecar between them.")
    yield "All of it is real but the chat models: no API key, nothing leaves this machine."
    yield ""
    yield "Starting three processes; the agent server takes about 10 seconds."


def is_ready(style: Style, name: str, seconds: float, ports: Ports) -> Iterator[str]:
    about = {
        SERVER: f"langgraph dev, {ports.server_url}, graphs researcher, coder",
        SIDECAR: f"subagent-sidecar serve --upstream {ports.server_url}",
        SUPERVISOR: f'create_deep_agent(...), url="{ports.data_url}"',
    }
    yield f"  {name:<{_NAMES}}ready after {seconds:4.1f} s   {style.dim(about[name])}"


def waiting_for(style: Style, names: Iterable[str], seconds: float) -> Iterator[str]:
    yield style.dim(f"  ... {seconds:.0f} s, waiting for: {', '.join(names)}")


def scene(style: Style, ports: Ports) -> Iterator[str]:
    yield ""
    yield f"  supervisor ──▶ sidecar :{ports.data} ──▶ agent server :{ports.server}"


def meanwhile(style: Style) -> Iterator[str]:
    yield ""
    yield style.dim("  (A few seconds pass; the researcher works on.)")


def before_table(style: Style) -> Iterator[str]:
    yield ""
    yield style.heading("What the sidecar has on record")
    yield ""
    yield f"  {style.command('$ subagentctl tasks --all')}"


def epilogue(style: Style) -> Iterator[str]:
    yield ""
    yield style.heading("Now your own supervisor")
    yield ""
    yield "  1. Put the sidecar in front of your agent server:"
    yield ""
    yield f"       {style.command('subagent-sidecar serve --upstream http://localhost:2024')}"
    yield ""
    yield "  2. Change one line of your supervisor, the url of each async subagent:"
    yield ""
    yield '       AsyncSubAgent(name="researcher", description="...", graph_id="researcher",'
    yield f"                     {style.command(NEW_URL)})"
    yield ""
    yield "  3. See what it starts:"
    yield ""
    yield f"       {style.command('subagentctl tasks')}"
    yield ""


def invitation(style: Style) -> Iterator[str]:
    yield f"To look around in this one: {style.command('subagent-sidecar demo --keep')}"
    yield ""


def kept_running(style: Style, ports: Ports) -> Iterator[str]:
    look = f"subagentctl --server {ports.admin_url} tasks --all"
    yield style.heading("Still running, until you press Ctrl-C")
    yield ""
    yield f"  {SIDECAR:<{_NAMES}}{ports.data_url}   for supervisors (graph_id: researcher, coder)"
    yield f"  {'':<{_NAMES}}{ports.admin_url}   for subagentctl:"
    yield f"  {'':<{_NAMES}}{style.command(look)}"
    yield f"  {SERVER:<{_NAMES}}{ports.server_url}"
    yield ""
