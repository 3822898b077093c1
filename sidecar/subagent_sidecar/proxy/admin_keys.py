"""The admin plane's keys of supervisors: made, listed, revoked."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from aiohttp import web

from ..core.keys import EVERY_AGENT, Key, agents_of, name_of, presented
from ..core.model import Timestamp, timestamp
from ..core.names import nearest
from ..core.roles import EVERYBODY
from ..core.units import duration
from ..errors import AmbiguousKey, BadBody, KeyNotFound
from ..keyring import Keyring
from ..ports import Clock
from ..redaction import scrubbed
from .admin_about import came_to
from .admin_guard import CALLER
from .admin_json import answer, json_body

_KEY = frozenset({"name", "agents", "expires", "every_task"})
_WHICH = frozenset({"all"})
_LONGEST = timedelta(days=3_653)


class KeyRoutes:
    """Handlers; `register` adds them. `asked` is whether the data plane asks for keys at all."""

    def __init__(self, *, keyring: Keyring, clock: Clock, asked: bool) -> None:
        self._keyring = keyring
        self._clock = clock
        self._asked = asked

    def register(self, app: web.Application) -> None:
        app.router.add_get("/v1/keys", self.listed)
        app.router.add_post("/v1/keys", self.make)
        app.router.add_post("/v1/keys/{key}/revoke", self.revoke)

    async def listed(self, request: web.Request) -> web.Response:
        """Every key there ever was, oldest first: never the keys themselves."""
        await self._keyring.load()
        keys = self._keyring.all()
        return answer({"keys": [self._json(key) for key in keys], "auth": self._asked})

    async def make(self, request: web.Request) -> web.Response:
        """A new key. Its text is in this answer, and nowhere ever after."""
        body = await json_body(request, _KEY)
        every_task = body.get("every_task", False)
        if not isinstance(every_task, bool):
            raise BadBody("every_task: must be true or false")
        try:
            name = name_of(body.get("name"))
        except ValueError as error:
            raise BadBody(f"name: {error}") from error
        agents, expires_at = _agents(body.get("agents")), self._expiry(body.get("expires"))
        text, key = await self._keyring.make(
            name, agents=agents, every_task=every_task, expires_at=expires_at, by=_by(request)
        )
        came_to(request, key_id=key.key_id)
        made = answer({"key": text, "record": self._json(key), "auth": self._asked})
        made.headers["Cache-Control"] = "no-store"
        return made

    async def revoke(self, request: web.Request) -> web.Response:
        """Revokes one key, by its id or by the name of a supervisor that has only one; or, with
        `all`, every key of that supervisor. Raises KeyNotFound, AmbiguousKey."""
        every = (await json_body(request, _WHICH)).get("all", False)
        if not isinstance(every, bool):
            raise BadBody("all: must be true or false")
        await self._keyring.load()
        meant = self._meant(request.match_info["key"], every=every)
        ids, by = {key.key_id for key in meant}, _by(request)
        came_to(request, key_ids=sorted(ids), supervisor=meant[0].name)
        changed = [key_id for key_id in sorted(ids) if await self._keyring.revoke(key_id, by=by)]
        now = [self._json(key) for key in self._keyring.all() if key.key_id in ids]
        return answer({"revoked": now, "changed": len(changed)})

    def _meant(self, given: str, *, every: bool) -> Sequence[Key]:
        keys, now = self._keyring.all(), timestamp(self._clock.now())
        if (pasted := presented(given)) is not None:
            given = pasted[0]  # somebody may have nothing but the key itself
        if by_id := [key for key in keys if key.key_id == given]:
            return by_id
        named = [key for key in keys if key.name == given]
        if not named:
            raise KeyNotFound(_nobody(given, keys))
        live = [key for key in named if key.live(now)]
        if len(live) > 1 and not every:
            ids = [key.key_id for key in live]
            raise AmbiguousKey(
                f"supervisor '{given}' has {len(live)} keys; say which by its id "
                f"({', '.join(ids)}), or revoke all of them",
                candidates=ids,
            )
        return live or named

    def _expiry(self, given: object) -> Timestamp | None:
        if given is None:
            return None
        try:
            span = duration(given)
        except ValueError as error:
            raise BadBody(f"expires: {error}") from error
        if not timedelta() < span <= _LONGEST:
            raise BadBody("expires: must be more than 0, and at most 10 years (3653d)")
        return timestamp(self._clock.now() + span)

    def _json(self, key: Key) -> dict[str, Any]:
        now = timestamp(self._clock.now())
        return {
            "key_id": key.key_id,
            "name": key.name,
            "state": _state(key, now),
            "agents": list(key.agents),
            "every_task": key.every_task,
            "created_at": key.created_at,
            "created_by": key.created_by,
            "expires_at": key.expires_at,
            "revoked_at": key.revoked_at,
        }


def _by(request: web.Request) -> str | None:
    """Whose token it was, where there are tokens."""
    caller = request[CALLER]
    return None if caller is EVERYBODY else caller.name


def _state(key: Key, now: Timestamp) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expired(now) else "live"


def _agents(given: object) -> tuple[str, ...]:
    try:
        return EVERY_AGENT if given is None else agents_of(given)
    except ValueError as error:
        raise BadBody(f"agents: {error}") from error


def _nobody(given: str, keys: Sequence[Key]) -> str:
    names = nearest(given, sorted({key.name for key in keys}))
    meant = f"; like it: {', '.join(names)}" if names else ""
    return f"there is no key, and no supervisor, called '{scrubbed(given)[:80]}'{meant}"
