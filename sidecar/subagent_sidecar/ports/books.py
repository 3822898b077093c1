"""Parts of the store that one edge alone needs."""

from asyncio import Future
from collections.abc import Mapping, Sequence
from typing import Protocol

from ..core.changes import Start
from ..core.decisions import Decision
from ..core.idempotency import Claim, Earlier, Taken
from ..core.keys import Key
from ..core.metrics.meters import StoreMeter
from ..core.metrics.record import Census, Stretch, Used
from ..core.model import Event, Intent, Timestamp
from ..core.owners import Owner
from ..core.policy import Policy
from ..core.push.deliveries import Delivery
from ..core.report import Report, ReportQuery
from ..core.trees import TreePage


class Replies(Protocol):
    """What was answered to starts that are to be made once (core.idempotency). Every method raises
    StoreError when the store cannot do it."""

    def admit_once(self, start: Start, policy: Policy, claim: Claim) -> Future[Intent | Earlier]:
        """`Store.admit`, unless the start was made before: looked up and put on record in the same
        transaction. Raises Refused where the policy denies; then nothing is kept for `claim`."""

    def settle_reply(self, taken: Taken) -> Future[None]:
        """The server took a start. Nothing happens if another stands under its key by now."""

    def forget_reply(self, key: str, intent_id: str) -> Future[None]:
        """A start came to nothing: the next one under its key is a new one."""

    async def prune_replies(self, upto: Timestamp, *, limit: int) -> int:
        """Remove at most `limit` of those made at `upto` or before, the oldest first; how many."""


class Figures(Protocol):
    """What metrics ask. Every method raises StoreError when the store cannot do it."""

    @property
    def meter(self) -> StoreMeter:
        """Commits and failures of this process."""

    @property
    def waiting(self) -> int:
        """Writes that were handed in and are not done."""

    async def census(self) -> Census:
        """How the books stand. Costs as much as there are live tasks, whatever else there is."""

    async def happened(self, after: int, *, limit: int) -> Stretch:
        """The events with a number above `after`, at most `limit` of them, added up."""

    async def used(self) -> Sequence[Used]:
        """Tokens and cost since the store was made, by upstream, agent and model, in order."""


class Reports(Protocol):
    """What reports ask."""

    async def report(self, query: ReportQuery) -> Report:
        """How agents did since then: added up, so that what comes is as much as is told. Reads
        all that is in it; a second or two for 100,000 tasks. Raises StoreError."""


class SpanPlaces(Protocol):
    """How far the record has been told as spans, by the names of those who tell it. Every method
    raises StoreError when the store cannot do it."""

    async def spans_claimed(self, name: str) -> int | None:
        """The number of the last event that is told, or being told; None before `begin_spans`."""

    async def begin_spans(self, *names: str) -> None:
        """Whoever of `names` has no place yet is told to begin after the newest event, all after
        the same one."""

    async def claim_spans(self, name: str, after: int, upto: int) -> bool:
        """Move a place from `after` to `upto`; whether it stood at `after`. What lies between is
        the caller's to tell then, and nobody else's."""


class Deliveries(Protocol):
    """What is to be told to targets of completion push and is not told yet. Several processes may
    share it. Every method raises StoreError when the store cannot do it."""

    async def enter_deliveries(
        self, name: str, after: int, upto: int, deliveries: Sequence[Delivery]
    ) -> bool:
        """`SpanPlaces.claim_spans`, and in the same transaction what lies between is put down to
        be delivered; nothing is where somebody was quicker."""

    async def next_delivery(self, target: str) -> Timestamp | None:
        """When the first one to the target is due; None where there is none."""

    async def claim_deliveries(
        self, target: str, *, now: Timestamp, until: Timestamp, limit: int
    ) -> Sequence[Delivery]:
        """Take those that are due at `now`, the most overdue first: one more attempt is counted,
        and nobody else gets them before `until`."""

    async def settle_delivery(self, delivery: Delivery, again: Timestamp | None) -> None:
        """What became of a claimed one: it is due again at `again`, or done with (None). Nothing
        happens if it was claimed by somebody else since."""

    async def drop_deliveries(self, before: Timestamp) -> Mapping[str, int]:
        """Remove those of events before that time; how many, by target."""

    async def deliveries_waiting(self) -> Mapping[str, int]:
        """How many there are, by target."""


class SupervisorKeys(Protocol):
    """What is kept of supervisors' keys. Every method raises StoreError when the store cannot do
    it."""

    async def add_key(self, key: Key) -> None:
        """One more, and the event that tells of it. StoreRejected: its id is taken."""

    async def revoke_key(self, key_id: str, *, at: Timestamp, by: str | None = None) -> bool:
        """From `at` on it opens nothing, for good, and an event says so. False where there is no
        such key, or it was revoked before: then nothing has changed."""

    async def supervisor_keys(self) -> Sequence[Key]:
        """All there ever were, oldest first."""

    async def keys_state(self) -> tuple[int, int]:
        """How many keys there are, and how many are revoked: unless one of these has grown since,
        nothing has changed. Costs next to nothing."""


class Trees(Protocol):
    """Trees of tasks, whole. Every method raises StoreError when the store cannot do it."""

    async def tree(
        self, tree_ids: Sequence[str], *, after: tuple[Timestamp, str] | None = None, limit: int
    ) -> TreePage:
        """The tasks of these trees, oldest first; `after` is the (created_at, task_id) of the
        last one of the page before."""

    async def moments(self, task_ids: Sequence[str], *, each: int) -> Sequence[Event]:
        """The newest `each` events of every one of the tasks, of the kinds that a tree is told
        with (core.trees), in order."""

    async def refused_in(self, sessions: Sequence[str], *, limit: int) -> Sequence[Decision]:
        """The newest `limit` refusals of what these sessions wanted to start, oldest first. Looks
        at the newest 20,000 decisions only."""

    async def trees_in(self, trace_id: str, *, among: int) -> Sequence[str]:
        """The trees that are in a trace and that the newest `among` tasks are of, in order."""


class Owners(Protocol):
    """Whose threads are. Every method raises StoreError when the store cannot do it."""

    async def owners(self, thread_ids: Sequence[str]) -> Mapping[str, Owner]:
        """Of those that are on record, as a task, as a thread or by a start on its way; at most
        500 at a time."""

    async def has_run(self, thread_id: str, run_id: str) -> bool:
        """Whether a run of a task is on record."""

    async def owned(self, owner: Owner, *, limit: int) -> Sequence[str]:
        """The newest `limit` tasks that are theirs."""
