"""One row of the fault table."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.integration.faults import scenes

RUNS, RUN = "/threads/*/runs", "/threads/*/runs/*"

ASKS = "asks for the thread's runs"
GIVES_UP = f"{ASKS}, finds none, and gives up 5 s after `start_timeout`"
ADOPTS = f"{ASKS} and finds the run by its request id"

A_MINUTE = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the page, and how it is played.

    `client`, `at_once` and `at_last` are in the words of `stage.seen` and `stage.in_words`, two of
    them joined by ", or " where it is a matter of moments; `then` says in prose what the sidecar
    does between the two. The trouble lasts until `at_once` was seen; after it `later` seconds pass
    on the sidecar's wall clock. `blind`: the server knows a run that the record does not.
    """

    number: str
    fault: str
    client: str
    at_once: str
    then: str
    at_last: str
    begin: scenes.Begin
    trouble: scenes.Trouble
    act: scenes.Act
    later: float = 0.0
    config: Mapping[str, str] = field(default_factory=dict)
    blind: bool = False
