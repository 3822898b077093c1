"""The admin plane's kill switch."""

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from ..core.matching import EVERYTHING, Scope
from ..core.verdict import Freeze
from ..errors import BadBody, NotFrozen
from ..ports import Store
from ..service import Service
from .admin_explain import UpToDate
from .admin_json import answer, json_body
from .admin_names import Names

_WHICH = frozenset({"scope", "id"})
_SCOPES = {"all": Scope.GLOBAL, "agent": Scope.AGENT, "session": Scope.SESSION}
_WORDS = {scope: word for word, scope in _SCOPES.items()}
_LONGEST_REASON = 500
_INSTEAD = (
    "to refuse every start, freeze all; to refuse those that fit a pattern, put a rule with "
    "`deny: true` into a policy file"
)


class FreezeRoutes:
    """Handlers; `register` adds them. What they answer holds for the very next start."""

    def __init__(self, *, service: Service, store: Store, names: Names) -> None:
        self._service = service
        self._store = store
        self._names = names
        self._up_to_date: UpToDate

    def register(self, app: web.Application, up_to_date: UpToDate) -> None:
        """`up_to_date` lets the books catch up."""
        self._up_to_date = up_to_date
        app.router.add_get("/v1/freeze", self.shown)
        app.router.add_post("/v1/freeze", self.freeze)
        app.router.add_post("/v1/unfreeze", self.unfreeze)

    async def shown(self, request: web.Request) -> web.Response:
        """What is frozen."""
        return answer({"frozen": await self._frozen()})

    async def freeze(self, request: web.Request) -> web.Response:
        """Freezes everything, an agent or a session; what is frozen already gets the reason. A
        name that nothing is on record of is frozen ahead of time, and that is said."""
        body = await json_body(request, _WHICH | {"reason"})
        scope, scope_id = _place(body)
        reason = _reason(body)
        unheard_of = await self._unheard_of(scope, scope_id)
        await self._service.levers.freeze(scope, scope_id, reason)
        return answer({"frozen": await self._frozen(), "not_on_record": unheard_of})

    async def _unheard_of(self, scope: Scope, scope_id: str) -> dict[str, Any] | None:
        if scope is Scope.GLOBAL:
            return None
        await self._up_to_date()
        return await self._names.unheard_of(scope, scope_id, instead=_INSTEAD)

    async def unfreeze(self, request: web.Request) -> web.Response:
        """Lifts one freeze, and says what is frozen still. Raises NotFrozen."""
        scope, scope_id = _place(await json_body(request, _WHICH))
        there = await self._store.freezes()
        if not any((each.scope, each.scope_id) == (scope, scope_id) for each in there):
            raise NotFrozen(_not_frozen(scope, scope_id, there))
        await self._service.levers.unfreeze(scope, scope_id)
        return answer({"frozen": await self._frozen()})

    async def _frozen(self) -> list[dict[str, Any]]:
        return [_freeze_json(freeze) for freeze in await self._store.freezes()]


def _freeze_json(freeze: Freeze) -> dict[str, Any]:
    everything = freeze.scope is Scope.GLOBAL
    return {
        "scope": _WORDS[freeze.scope],
        "id": None if everything else freeze.scope_id,
        "reason": freeze.reason,
        "at": freeze.at,
    }


def _place(body: Mapping[str, Any]) -> tuple[Scope, str]:
    word, given = body.get("scope"), body.get("id")
    scope = _SCOPES.get(word) if isinstance(word, str) else None
    if scope is None:
        raise BadBody(f"scope: must be one of {', '.join(_SCOPES)}")
    if scope is Scope.GLOBAL:
        if given is not None:
            raise BadBody("id: 'all' has none; leave it out")
        return scope, EVERYTHING
    if not isinstance(given, str) or not given or not given.isprintable():
        raise BadBody(f"id: must be the name of the {word}, not empty")
    return scope, given


def _reason(body: Mapping[str, Any]) -> str | None:
    """One line, and no longer than models need it."""
    value = body.get("reason")
    if value is None:
        return None
    if not isinstance(value, str):
        raise BadBody("reason: must be text")
    return " ".join(_printable(value).split())[:_LONGEST_REASON] or None


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)


def _not_frozen(scope: Scope, scope_id: str, there: Sequence[Freeze]) -> str:
    named = ", ".join(_name(each.scope, each.scope_id) for each in there)
    if scope is not Scope.GLOBAL:
        return f"{_name(scope, scope_id)} is not frozen; frozen: {named or 'nothing'}"
    if not named:
        return "nothing is frozen"
    return f"there is no freeze of all starts to lift; each of these is lifted by its name: {named}"


def _name(scope: Scope, scope_id: str) -> str:
    return "all starts" if scope is Scope.GLOBAL else f"{_WORDS[scope]} {scope_id[:80]}"
