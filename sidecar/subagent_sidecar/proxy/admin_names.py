"""Names in the operator's levers: one that nothing is on record of may be for what is to come, and
may be a typing error. It is taken, and both is said."""

from typing import Any

from ..core.matching import Scope
from ..core.names import is_pattern, nearest
from ..core.routing import UpstreamNames
from ..errors import NoSuchUpstream, NotAName
from ..ports import Store

_LATELY = 10_000


class Names:
    """What is on record, and in the configuration, under a name."""

    def __init__(self, *, store: Store, upstreams: UpstreamNames) -> None:
        self._store = store
        self._upstreams = upstreams

    async def unheard_of(self, scope: Scope, name: str, *, instead: str) -> dict[str, Any] | None:
        """What is to be said of a name that nothing is on record of; None for one that is known.

        Raises NotAName for a new one that can only be a mistake; it ends with `instead`, which way
        to take. Upstreams are configured: of a new one it raises NoSuchUpstream.
        """
        configured = self._configured(scope)
        if name in configured or await self._store.has(scope, name):
            return None
        if scope is Scope.UPSTREAM:
            raise NoSuchUpstream(
                f"there is no upstream '{name[:80]}'; there are: {', '.join(configured)}"
            )
        if is_pattern(name):
            raise NotAName(f"'{name[:80]}' is a pattern, and names are asked for: {instead}")
        if name != name.strip():
            raise NotAName(f"'{name[:80]}' begins or ends with a blank: leave that away")
        lately = await self._store.names(scope, among=_LATELY)
        known = list(dict.fromkeys([*lately, *configured]))
        return {"scope": scope.value, "id": name, "did_you_mean": nearest(name, known)}

    def _configured(self, scope: Scope) -> list[str]:
        match scope:
            case Scope.AGENT:
                return list(self._upstreams.agents)
            case Scope.UPSTREAM:
                return list(self._upstreams.names)
            case _:
                return []
