"""A start that is sent again is one start: what counts as the same, and what is done about it.

The rules, for the callers' eyes in docs/reference/http.md:

- `Idempotency-Key` names a start, for 24 hours. The key is the caller's own: it is told apart by
  supervisor, upstream, credentials, door (run, batch, cron; at once, stream, wait) and thread. The
  same key with another body is a mistake of the caller's (422), not a second start.
- `x-request-id` counts only where no key is there, only on a thread, only for the same bytes, and
  only until the run has ended. It was not made for this: proxies and instrumented supervisors send
  one id with every request of a turn, so what differs at all is another start, and the same words
  to a thread that has come to rest (a second `resume`, say) are a new instruction.
- What started nothing (a refusal, a 4xx, no connection) is not kept: the next try is a new start.

A `Reply` is made in the transaction that makes the start's intent durable, so there is never one
without the other. What it is worth is not written down but read off the books (`standing`): while
the intent is open the start is under way or in doubt; afterwards there is an answer, or a run, or
nothing. So a crash leaves nothing to repair here: whoever settles the intent settles the reply.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Protocol, TypeVar

from .changes import Start
from .ledger import Ledger
from .model import Intent, Timestamp, timestamp
from .quick import quick
from .wire import Act, Meaning

KEPT_FOR = timedelta(hours=24)
LONGEST_KEY = 255
LARGEST_KEPT = 256 * 1024
"""Bytes of an answer's body that are kept. Of a longer one only the run is."""

Refusal = TypeVar("Refusal")


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a request says: "this start, once".

    `key` is a digest of whose start it is and where, `fingerprint` one of what is to be started.
    A `passing` claim holds only until the run has ended. `instead_of` is the intent of a start
    under this key that has been found to have come to nothing.
    """

    key: str
    fingerprint: str
    passing: bool = False
    instead_of: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A server's whole answer; `fields` are those of its header that tell of the run."""

    status: int
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What is kept of a start that came with a key. `settled`: the server took it; `run_id` is
    then its run, None where it made several or none (a batch, a cron)."""

    key: str
    fingerprint: str
    intent_id: str
    request_id: str
    created_at: Timestamp
    thread_id: str | None = None
    run_id: str | None = None
    settled: bool = False
    answer: Answer | None = None


class Standing(StrEnum):
    """How it stands with a start that was made before."""

    OTHER = "other"
    """The key is that of another body."""
    UNDER_WAY = "under way"
    IN_DOUBT = "in doubt"
    """It was sent, and it is being found out what became of it."""
    ANSWERED = "answered"
    TAKEN = "taken"
    """The server took it. Its answer is not kept: it was a stream, too long, or never came."""
    LOST = "lost"
    """Nobody is looking for it any more, and no run of it is on record."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """The start that a claim found before it. `reply.run_id` is filled in from the books."""

    standing: Standing
    reply: Reply


class Repeated(Exception):
    """Raised where a start was to be made that was made before."""

    def __init__(self, earlier: Earlier) -> None:
        super().__init__(f"made before: {earlier.standing}")
        self.earlier = earlier


class ReplyTable(Protocol):
    """The table, inside a transaction."""

    def reply(self, key: str) -> Reply | None: ...
    def put_reply(self, reply: Reply) -> None: ...
    def drop_reply(self, key: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A start as it is claimed: whose (`credentials` are header fields), where, and what."""

    supervisor: str
    upstream: str
    credentials: Sequence[tuple[bytes, bytes]]
    meaning: Meaning
    query: str
    body: bytes


def claim_by_key(key: str, asked: Asked) -> Claim:
    """The claim of a start that names itself."""
    return Claim(key=_digest(b"key", key.encode(), _door(asked)), fingerprint=_said(asked))


def claim_by_request_id(request_id: str, asked: Asked) -> Claim | None:
    """The claim of a start that has nothing but a request id; None where that is none."""
    if asked.meaning.act is not Act.RUN_START or asked.meaning.thread_id is None:
        return None
    said = _said(asked)
    key = _digest(b"request", request_id.encode(), _door(asked), said.encode())
    return Claim(key=key, fingerprint=said, passing=True)


def _door(asked: Asked) -> bytes:
    """Whose start, and where. Credentials belong to it as long as they are all that tells one
    caller from another: nobody may be handed what another one was answered."""
    meaning = asked.meaning
    place = (
        asked.supervisor,
        asked.upstream,
        meaning.act,
        meaning.form,
        meaning.thread_id or "",
    )
    whose = sorted((name.lower(), value) for name, value in asked.credentials)
    return _digest(
        *(part.encode() for part in place), *(x for pair in whose for x in pair)
    ).encode()


def _said(asked: Asked) -> str:
    return _digest(asked.query.encode("utf-8", "surrogateescape"), asked.body)


def _digest(*parts: bytes) -> str:
    found = sha256()
    for part in parts:
        found.update(b"%d:" % len(part))
        found.update(part)
    return found.hexdigest()


def admit_once(
    ledger: Ledger,
    replies: ReplyTable,
    start: Start,
    claim: Claim,
    admit: Callable[[], Intent | Refusal],
) -> Intent | Refusal | Earlier:
    """Admit a start unless it was made before; inside the transaction of `ledger`."""
    known = replies.reply(claim.key)
    if known is not None and not _expired(known, start.at):
        earlier = standing(ledger, known, claim)
        if not _gives_way(ledger, earlier, claim):
            return earlier
    admitted = admit()
    if isinstance(admitted, Intent):
        replies.put_reply(
            Reply(
                key=claim.key,
                fingerprint=claim.fingerprint,
                intent_id=admitted.intent_id,
                request_id=admitted.request_id,
                created_at=start.at,
                thread_id=admitted.thread_id,
            )
        )
    return admitted


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The server took the start of `intent_id`: with this answer, if it is to be kept."""

    key: str
    intent_id: str
    thread_id: str | None = None
    run_id: str | None = None
    answer: Answer | None = None


def settle(replies: ReplyTable, taken: Taken) -> None:
    """Enter what became of a start, unless another one stands under its key by now."""
    reply = replies.reply(taken.key)
    if reply is not None and reply.intent_id == taken.intent_id:
        thread_id = taken.thread_id or reply.thread_id
        replies.put_reply(
            replace(
                reply,
                thread_id=thread_id,
                run_id=taken.run_id or reply.run_id,
                settled=True,
                answer=taken.answer or reply.answer,
            )
        )


def forget(replies: ReplyTable, key: str, intent_id: str) -> None:
    """The start came to nothing: the next one under its key is a new one."""
    reply = replies.reply(key)
    if reply is not None and reply.intent_id == intent_id:
        replies.drop_reply(key)


def expiry(now: datetime) -> Timestamp:
    """Replies of this moment or before have expired."""
    return timestamp(now - KEPT_FOR)


def _expired(reply: Reply, now: Timestamp) -> bool:
    return reply.created_at <= expiry(datetime.fromisoformat(now))


def standing(ledger: Ledger, reply: Reply, claim: Claim) -> Earlier:
    """How it stands with the start of `reply`, which `claim` asks for again."""
    if reply.fingerprint != claim.fingerprint:
        return Earlier(Standing.OTHER, reply)
    if reply.answer is not None:
        return Earlier(Standing.ANSWERED, reply)
    if reply.settled:
        return Earlier(Standing.TAKEN, reply)
    intent = ledger.intent(reply.intent_id)
    if intent is not None:
        return Earlier(Standing.IN_DOUBT if intent.in_doubt else Standing.UNDER_WAY, reply)
    run_id = _adopted(ledger, reply)
    if run_id is not None:
        return Earlier(Standing.TAKEN, replace(reply, run_id=run_id, settled=True))
    return Earlier(Standing.LOST, reply)


def _adopted(ledger: Ledger, reply: Reply) -> str | None:
    """The run that was found for a start whose answer never came. A request id that is not our
    own may stand on several: then it is the first one since."""
    if reply.thread_id is None:
        return None
    runs = [run for run in ledger.runs(reply.thread_id) if run.request_id == reply.request_id]
    since = [run for run in runs if run.created_at >= reply.created_at]
    return (since or runs)[0].run_id if runs else None


def _gives_way(ledger: Ledger, earlier: Earlier, claim: Claim) -> bool:
    """Whether the start found before is no hindrance: it came to nothing, or is over for a claim
    that is only a passing one."""
    reply = earlier.reply
    if earlier.standing is Standing.LOST:
        return claim.instead_of == reply.intent_id
    if not claim.passing or reply.thread_id is None or reply.run_id is None:
        return False
    run = ledger.run(reply.thread_id, reply.run_id)
    return run is not None and run.ended
