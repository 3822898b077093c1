"""Which upstream a request goes to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import AmbiguousUpstream, NoSuchUpstream

PREFIX = "/to/"


@dataclass(frozen=True, slots=True)
class UpstreamNames:
    """The configured upstreams, in order, with the agents each one lists."""

    names: Sequence[str]
    agents: Mapping[str, str]
    """agent name or assistant id -> upstream"""
    default: str | None
    """Where requests go that nothing else places; None when the operator chose none."""


def split_prefix(target: str) -> tuple[str | None, str]:
    """(`name`, the rest) of a target that begins with `/to/<name>/`, else (None, target)."""
    if not target.startswith(PREFIX):
        return None, target
    path, mark, query = target[len(PREFIX) :].partition("?")
    name, _, rest = path.partition("/")
    return name, f"/{rest}{mark}{query}"


def choose(
    upstreams: UpstreamNames,
    *,
    prefix: str | None = None,
    header: str | None = None,
    thread: str | None = None,
    agents: Sequence[str | None] = (),
) -> str:
    """The upstream's name; the first hit wins, in the order of the arguments.

    `thread` is the upstream the thread is known to live on. Raises NoSuchUpstream for a name
    nobody has and AmbiguousUpstream when nothing decides.
    """
    for name, where in ((prefix, "path prefix /to/<upstream>"), (header, "x-subagent-upstream")):
        if name is not None:
            if name not in upstreams.names:
                raise NoSuchUpstream(
                    f"no upstream is called '{name[:80]}' ({where}); "
                    f"there are: {', '.join(upstreams.names)}"
                )
            return name
    if thread is not None and thread in upstreams.names:
        return thread
    for agent in agents:
        if agent is not None and agent in upstreams.agents:
            return upstreams.agents[agent]
    if upstreams.default is not None:
        return upstreams.default
    raise AmbiguousUpstream(
        f"several upstreams are configured ({', '.join(upstreams.names)}) and nothing in this "
        "request says which one is meant: put /to/<upstream> in front of the path, send the "
        "header x-subagent-upstream, list the agent under an upstream's `agents`, or set a "
        "`default_upstream`"
    )
