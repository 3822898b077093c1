"""For supervisors: one line that keeps a session's lease while its process lives.

    from subagent_sidecar.client import SessionLease, session_lease

    agent = create_deep_agent(..., middleware=[SessionLease("http://127.0.0.1:8460")])

    with session_lease("http://127.0.0.1:8460", "my-session"):
        ...

Standard library only, but for LangChain, which `SessionLease` is a middleware of: it is loaded when
that name is asked for. Nothing of the sidecar itself is. docs/sessions.md has the story.
"""

from typing import TYPE_CHECKING, Any

from .blocks import session_lease

if TYPE_CHECKING:
    from .middleware import SessionLease

__all__ = ["SessionLease", "session_lease"]


def __getattr__(name: str) -> Any:
    if name == "SessionLease":
        from .middleware import SessionLease  # noqa: PLC0415 - who has no LangChain needs none

        return SessionLease
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
