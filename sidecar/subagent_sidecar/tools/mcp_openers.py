"""Whose MCP sessions are."""


class Openers:
    """The supervisors that opened the sessions there are."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def opened(self, session: str, supervisor: str) -> None:
        self._known[session] = supervisor

    def closed(self, session: str) -> None:
        self._known.pop(session, None)

    def is_anothers(self, session: str, supervisor: str) -> bool:
        return self._known.get(session, supervisor) != supervisor
