"""Supervisor keys: how one looks, what is kept of it, and whether somebody holds it.

    ssk_<id>_<secret>        ssk_q7mzk2ah5x_<52 characters>

The id is public: lists show it, and a key is revoked by it. The secret is 256 random bits, is shown
once, and is never kept: the store has its salted SHA-256. A slow hash (scrypt, argon2) is there to
make passwords, of which there are few, dear to guess; 2**256 cannot be tried at any price, and a
slow one would have to be paid on every request.

Nothing here knows the time or makes random numbers: both are handed in.
"""

import hmac
import re
from base64 import b32encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256

from .matching import Glob
from .model import Timestamp

PREFIX = "ssk_"
ID_BYTES, SECRET_BYTES, SALT_BYTES = 6, 32, 16
"""How much randomness each part is made of."""

EVERY_AGENT = ("*",)
_TEXT = re.compile(r"ssk_([a-z2-7]{10})_([a-z2-7]{52})")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")
_TAKEN = "anonymous"
_MOST_AGENTS, _LONGEST_AGENT = 100, 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What is on record of a key. `name` is the supervisor's: one may have several keys. `agents`
    are globs of what it may start; with `every_task` it sees those of other supervisors, too."""

    key_id: str
    name: str
    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)
    created_at: Timestamp
    agents: tuple[str, ...] = EVERY_AGENT
    every_task: bool = False
    expires_at: Timestamp | None = None
    revoked_at: Timestamp | None = None
    created_by: str | None = None

    def live(self, now: Timestamp) -> bool:
        """Whether it opens anything."""
        return self.revoked_at is None and not self.expired(now)

    def expired(self, now: Timestamp) -> bool:
        return self.expires_at is not None and self.expires_at <= now


class Standing(StrEnum):
    """What a presented key is. Why it is not good is told only to who holds its secret."""

    GOOD = "good"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    REVOKED = "revoked"


def presented(text: str) -> tuple[str, str] | None:
    """The id and the secret of a key as a caller sends it; None for what cannot be one, however
    long and whatever is in it."""
    return None if _TEXT.fullmatch(text) is None else (text[4:14], text[15:])


def text_of(key_id: str, secret: str) -> str:
    """The key as it is handed out."""
    return f"{PREFIX}{key_id}_{secret}"


def spelled(random: bytes) -> str:
    """Random bytes as they stand in a key: one word for a double click, and for a shell."""
    return b32encode(random).decode().rstrip("=").lower()


def digest(secret: str, salt: bytes) -> bytes:
    return sha256(salt + secret.encode("ascii")).digest()


_NOBODY = Key(
    key_id="",
    name="",
    salt=bytes(SALT_BYTES),
    digest=bytes(sha256().digest_size),
    created_at="",
)
"""What the secret of an unknown id is held against, so that it takes as long as a wrong one."""


def standing(key: Key | None, secret: str, now: Callable[[], Timestamp]) -> Standing:
    """What somebody is who presents `secret` under the id of `key`; None: nobody has that id.
    `now` is asked where it matters."""
    known = key or _NOBODY
    holds = hmac.compare_digest(digest(secret, known.salt), known.digest)
    if key is None or not holds:
        return Standing.UNKNOWN
    if key.revoked_at is not None:
        return Standing.REVOKED
    if key.expires_at is not None and key.expired(now()):
        return Standing.EXPIRED
    return Standing.GOOD


def may_start(agents: Iterable[str], names: Iterable[str]) -> str | None:
    """The first of the names of an agent that none of the globs fits; None: all may be started.

    A start may name a subagent and a graph. The first is what the caller calls it, the second what
    runs: either alone would let the other by.
    """
    globs = [Glob(each) for each in agents]
    return next((name for name in names if not any(glob.fits(name) for glob in globs)), None)


def name_of(given: object) -> str:
    """The name of a supervisor. Raises ValueError with what is wanted."""
    if not isinstance(given, str):
        raise ValueError("must be the name of the supervisor")
    if given.startswith(PREFIX):
        raise ValueError("looks like a key; a name is wanted, which everybody may see")
    if _NAME.fullmatch(given) is None:
        raise ValueError(
            "must have letters, digits and . _ @ + - only, begin with a letter or digit, and be "
            "at most 64 long"
        )
    if given == _TAKEN:
        raise ValueError(f"'{_TAKEN}' is what callers are called that have no key; choose another")
    return given


def agents_of(given: object) -> tuple[str, ...]:
    """Globs of agents. Raises ValueError with what is wanted."""
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise ValueError("must be a list of agents; * stands for any characters, ? for one")
    if not given:
        raise ValueError("names nobody; leave it out for all agents")
    if len(given) > _MOST_AGENTS:
        raise ValueError(f"at most {_MOST_AGENTS} may stand there")
    if any(not 0 < len(each) <= _LONGEST_AGENT or not each.isprintable() for each in given):
        raise ValueError(f"each must be printable, and have 1 to {_LONGEST_AGENT} characters")
    return tuple(dict.fromkeys(given))
