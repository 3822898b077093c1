"""The keys of supervisors as this process knows them: in memory, and never older than seconds.

Several processes may share a store, and each of them may be told to revoke a key. So each looks
every two seconds whether there are more keys, or more of them revoked, and reads them where there
are. What a process was told itself holds at once. While the store cannot be read, what is known
stays in force: a supervisor with a good key is let in, and a key expires by the clock.

No key that was found good is remembered: to look once more costs less than two microseconds, and
what is not kept cannot outlive its revocation.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from .core.keys import (
    EVERY_AGENT,
    ID_BYTES,
    SALT_BYTES,
    SECRET_BYTES,
    Key,
    Standing,
    digest,
    presented,
    spelled,
    standing,
    text_of,
)
from .core.model import Timestamp
from .core.principal import Principal
from .errors import StoreError
from .ports import SupervisorKeys

_log = logging.getLogger(__name__)

_LOOK_EVERY_S = 2.0


class Held(NamedTuple):
    """A key on the ring, and who it makes of its holder."""

    key: Key
    principal: Principal


class Keyring:
    """`load` it, then have it `follow` the store. `now` is the wall clock's; `random` is as
    secrets.token_bytes."""

    def __init__(
        self,
        store: SupervisorKeys,
        *,
        now: Callable[[], Timestamp],
        random: Callable[[int], bytes] = secrets.token_bytes,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._now = now
        self._random = random
        self._sleep = sleep
        self._held: Mapping[str, Held] = {}
        self._state: tuple[int, int] | None = None
        self._changing = asyncio.Lock()
        self._troubled = False

    # Who is asked for by the gate

    def look_up(self, text: str) -> tuple[Standing, Held | None]:
        """What a presented key is, and where it is good whose."""
        parts = presented(text)
        if parts is None:
            return Standing.UNKNOWN, None
        key_id, secret = parts
        held = self._held.get(key_id)
        found = standing(None if held is None else held.key, secret, self._now)
        return found, held if found is Standing.GOOD else None

    def opens(self, key_id: str) -> bool:
        """Whether a key that was good when it was presented is good still."""
        held = self._held.get(key_id)
        return held is not None and held.key.live(self._now())

    @property
    def any_live(self) -> bool:
        """Whether there is a key that lets anybody in."""
        now = self._now()
        return any(held.key.live(now) for held in self._held.values())

    # Who is told by operators

    def all(self) -> Sequence[Key]:
        """Every key there ever was, oldest first."""
        return [held.key for held in self._held.values()]

    async def make(
        self,
        name: str,
        *,
        agents: tuple[str, ...] = EVERY_AGENT,
        every_task: bool = False,
        expires_at: Timestamp | None = None,
        by: str | None = None,
    ) -> tuple[str, Key]:
        """A new key of supervisor `name`, which is good when this returns, and what is kept of it.
        Its text is nowhere else. Raises StoreError."""
        key_id, secret = spelled(self._random(ID_BYTES)), spelled(self._random(SECRET_BYTES))
        salt = self._random(SALT_BYTES)
        key = Key(
            key_id=key_id,
            name=name,
            salt=salt,
            digest=digest(secret, salt),
            created_at=self._now(),
            agents=agents,
            every_task=every_task,
            expires_at=expires_at,
            created_by=by,
        )
        async with self._changing:
            await self._store.add_key(key)
            self._hold(key)
        return text_of(key_id, secret), key

    async def revoke(self, key_id: str, *, by: str | None = None) -> bool:
        """The key opens nothing any more when this returns; False where it did not before either.
        Raises StoreError, and then it may be revoked or not."""
        at = self._now()
        async with self._changing:
            changed = await self._store.revoke_key(key_id, at=at, by=by)
            if changed and (held := self._held.get(key_id)) is not None:
                self._hold(replace(held.key, revoked_at=at))
        return changed

    # What keeps it up to date

    async def load(self) -> None:
        """Take up what has changed in the store. Raises StoreError."""
        async with self._changing:  # what was read before a revocation must not undo it
            state = await self._store.keys_state()
            if state == self._state:
                return
            keys = await self._store.supervisor_keys()
            self._held = {key.key_id: _held(key) for key in keys}
            self._state = state

    async def follow(self) -> None:
        """`load` every two seconds, for ever, through store trouble."""
        while True:
            await self._sleep(_LOOK_EVERY_S)
            try:
                await self.load()
            except StoreError as error:
                self._in_trouble(error)
            else:
                self._out_of_trouble()

    def _hold(self, key: Key) -> None:
        self._held = {**self._held, key.key_id: _held(key)}

    def _in_trouble(self, error: StoreError) -> None:
        if not self._troubled:
            self._troubled = True
            _log.warning(
                "the keys of supervisors cannot be read: those that are known stay in force, and "
                "what other processes revoke is not seen: %s",
                error.message,
                extra={"action": "keys_unreadable"},
            )

    def _out_of_trouble(self) -> None:
        if self._troubled:
            self._troubled = False
            _log.info("the keys of supervisors are read again", extra={"action": "keys_readable"})


def _held(key: Key) -> Held:
    return Held(key, Principal(key.name, agents=key.agents, every_task=key.every_task))
