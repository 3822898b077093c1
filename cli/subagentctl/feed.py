"""What happens, out of the admin plane: what is on record, and then each thing as it comes."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import click

from subagentctl.client import Client, JsonObject, json_object
from subagentctl.errors import CliError, Denied, NotFound
from subagentctl.outside import Outside
from subagentctl.text import clean

_PATH = "/v1/events"
_PAGE = "1000"
_SILENCE_S = 40.0
"""The sidecar breaks every silence after 15 s."""

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 5.0

Show = Callable[[JsonObject], None]
ShowPage = Callable[[list[JsonObject]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which events. "" means any; of `since` (ISO-8601 UTC) and `last` one at most is given."""

    task: str = ""
    session: str = ""
    agent: str = ""
    upstream: str = ""
    kind: str = ""
    since: str = ""
    last: int | None = None

    def filters(self) -> Mapping[str, str]:
        names = ("task", "session", "agent", "upstream", "kind")
        return {name: getattr(self, name) for name in names}

    def beginning(self) -> Mapping[str, str]:
        if self.last is not None:
            return {"last": str(self.last), "limit": str(max(self.last, 1))}
        return {"since": self.since, "limit": _PAGE}


BEGINNING = "0"
"""The place to go on from where nothing is on record at all."""


def show_recorded(client: Client, wanted: Wanted, show: ShowPage) -> str:
    """Show what is on record, page by page; returns the place to go on from."""
    page = client.get(_PATH, {**wanted.filters(), **wanted.beginning()})
    place = _show_page(client, page, show)
    while page.get("more"):
        page = client.get(_PATH, {**wanted.filters(), "after": place, "limit": _PAGE})
        before, place = place, _show_page(client, page, show)
        if place == before:
            raise client.surprise("its second page is the first one again")
    return place


def _show_page(client: Client, page: JsonObject, show: ShowPage) -> str:
    events, after = page.get("events"), page.get("after")
    if not isinstance(events, list) or not all(isinstance(each, dict) for each in events):
        raise client.surprise("its answer holds no events")
    if not isinstance(after, int):
        raise client.surprise("its answer does not say where it ends")
    show(events)
    return str(after)


class Following:
    """Shows what comes after `place`, through whatever befalls the sidecar."""

    def __init__(
        self, client: Client, wanted: Wanted, place: str, show: Show, outside: Outside
    ) -> None:
        self._client = client
        self._wanted = wanted
        self._place = place
        self._show = show
        self._outside = outside
        self._pause = _FIRST_PAUSE_S
        self._told = False

    def run(self) -> None:
        """Until it is interrupted. Raises NotFound when what is followed is no more, and Denied
        when it is not to be seen any more."""
        while True:
            for event in self._until_trouble():
                self._show(event)

    def _until_trouble(self) -> Iterator[JsonObject]:
        try:
            yield from self._events()
            problem = "the sidecar ended the stream of events."
        except (NotFound, Denied):
            raise
        except CliError as error:
            problem = error.message
        self._trouble(problem)

    def _events(self) -> Iterator[JsonObject]:
        stream = self._client.stream(
            _PATH, self._wanted.filters(), last_id=self._place, silence=_SILENCE_S
        )
        with stream as messages:
            self._told = False
            for message in messages:
                event = json_object(message.data.encode())
                if event is None:
                    raise self._client.surprise("an event of its is not JSON")
                self._pause = _FIRST_PAUSE_S
                yield event
                self._place = message.id or self._place

    def _trouble(self, problem: str) -> None:
        """Say it once until a stream begins again, and wait a little longer each time."""
        if not self._told:
            click.echo(f"subagentctl: {clean(problem)} Trying again.", err=True)
        self._told = True
        self._outside.sleep(self._pause)
        self._pause = min(self._pause * 2, _LONGEST_PAUSE_S)
