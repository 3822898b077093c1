"""Faults to order from a fake server: which request, what goes wrong, how often.

| fault              | the request is       | the client sees                                   |
|--------------------|----------------------|---------------------------------------------------|
| RESET              | not looked at        | a TCP reset before any byte                       |
| HANG               | not looked at        | nothing, for ever                                 |
| STATUS             | not looked at        | `status`, `headers` and `body` as given           |
| GARBAGE            | not looked at        | `body` instead of HTTP, then the end              |
| DELAY_HEAD         | done                 | the answer, `seconds` late                        |
| DELAY_BODY         | done                 | the head at once, the body `seconds` late         |
| RESET_AFTER        | done                 | a TCP reset instead of the answer                 |
| HANG_AFTER         | done                 | nothing, for ever                                 |
| TRUNCATE           | done                 | the head, `keep` bytes of the body, then a reset  |
| CANCEL_IGNORED     | not done             | 202, and the run stays as it was                  |
| CANCEL_LIES        | done on paper        | 202, the run `interrupted`; the graph runs on     |
| MULTITASK_IGNORED  | done, but not wholly | 200; the older run of the thread runs on beside it |
| REQUEST_ID_LOST    | done, but not wholly | 200; the run does not tell which request made it  |

A clock that is wrong is no fault of a request: give the server a `JumpingClock`.

The faults of the answer (DELAY_BODY, TRUNCATE, RESET_AFTER, HANG_AFTER, DELAY_HEAD) are for plain
answers; a stream that breaks in the middle is the business of a proxy in between.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase


class FaultKind(StrEnum):
    RESET = "reset"
    HANG = "hang"
    STATUS = "status"
    GARBAGE = "garbage"
    DELAY_HEAD = "delay_head"
    DELAY_BODY = "delay_body"
    RESET_AFTER = "reset_after"
    HANG_AFTER = "hang_after"
    TRUNCATE = "truncate"
    CANCEL_IGNORED = "cancel_ignored"
    CANCEL_LIES = "cancel_lies"
    MULTITASK_IGNORED = "multitask_ignored"
    REQUEST_ID_LOST = "request_id_lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong; the fields a kind does not name in the table above are ignored."""

    kind: FaultKind
    seconds: float = 0.0
    status: int = 503
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b'{"detail":"Service Unavailable"}'
    keep: int = 0


@dataclass(slots=True)
class _Order:
    method: str
    path: str
    fault: Fault
    left: int | None

    def wants(self, method: str, path: str) -> bool:
        return self.method in ("*", method) and fnmatchcase(path, self.path) and self.left != 0


class FaultTable:
    """The faults on order; the oldest that fits a request is taken."""

    def __init__(self) -> None:
        self._orders: list[_Order] = []

    def add(
        self,
        kind: FaultKind,
        path: str = "*",
        *,
        method: str = "*",
        times: int | None = 1,
        seconds: float = 0.0,
        status: int = 503,
        headers: Mapping[str, str] | None = None,
        body: bytes = b'{"detail":"Service Unavailable"}',
        keep: int = 0,
    ) -> None:
        """Order a fault for the next `times` requests (None: all) that fit.

        `path` is a shell pattern over the raw path without the query; `*` also spans slashes:
        `/threads/*/runs` fits POST runs, and `*/cancel` every single cancel.
        """
        fault = Fault(
            kind=kind, seconds=seconds, status=status, headers=headers or {}, body=body, keep=keep
        )
        self._orders.append(_Order(method, path, fault, times))

    def clear(self) -> None:
        """Be well again: forget every order, counted or not."""
        self._orders.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The fault for this request, counted off."""
        order = next((o for o in self._orders if o.wants(method, path)), None)
        if order is None:
            return None
        if order.left is not None:
            order.left -= 1
        return order.fault
