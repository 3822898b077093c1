"""What is in force, what is left of it, and what went around it."""

from collections.abc import Sequence
from typing import Protocol

from ..core.ghosts import Adoption, Audit, Ghost
from ..core.model import Intent
from ..core.policy_state import PolicyState


class PolicyKeeping(Protocol):
    """What is in force, and how to have it read again."""

    @property
    def state(self) -> PolicyState: ...

    async def reload(self, *, why: str) -> PolicyState:
        """Read the policy's files again and put in force what they say, all of it or nothing.
        Raises PolicyInvalid with every problem."""


class Remaining(Protocol):
    """What is left of budgets that are nearly spent, as supervisors are told with every answer;
    None, at no cost, where none is."""

    def of_task(self, task_id: str) -> bytes | None:
        """Of those that the task counts to."""

    def of_start(self, intent: Intent) -> bytes | None:
        """Of those that a start which was let in counts to."""


class Auditor(Protocol):
    """Finds what went around the sidecar."""

    async def audit(self, upstreams: Sequence[str], *, most: int) -> Sequence[Audit]:
        """What each of these servers has that is not on record, at most so many ghosts of each.
        A server that does not answer is a problem in its audit. Raises StoreError."""

    async def adopt(self, chosen: Sequence[tuple[str, Ghost]]) -> Sequence[Adoption]:
        """Put ghosts on record, each with its upstream. Raises StoreError."""
