"""The policy in force, and its reload."""

from typing import Any

from aiohttp import web

from ..core.policy_state import PolicyState
from ..ports import PolicyKeeping
from .admin_json import answer, json_body

_NOTHING: frozenset[str] = frozenset()


class PolicyRoutes:
    """Handlers; `register` adds them. `reap_interval_s` is 0 where nothing ends by itself."""

    def __init__(self, *, policies: PolicyKeeping, reap_interval_s: float) -> None:
        self._policies = policies
        self._reap_interval_s = reap_interval_s

    def register(self, app: web.Application) -> None:
        app.router.add_get("/v1/policy", self.shown)
        app.router.add_post("/v1/policy/reload", self.reload)

    async def shown(self, request: web.Request) -> web.Response:
        """What is in force."""
        return answer(policy_json(self._policies.state, self._reap_interval_s))

    async def reload(self, request: web.Request) -> web.Response:
        """What is in force now. Raises PolicyInvalid with every problem; then it is as before."""
        await json_body(request, _NOTHING)
        before = self._policies.state.version
        state = await self._policies.reload(why="asked for by an operator")
        now = policy_json(state, self._reap_interval_s)
        return answer({**now, "changed": state.version != before})


def policy_json(state: PolicyState, reap_interval_s: float) -> dict[str, Any]:
    """`policy` is a policy file itself, `origins` says which of the files each rule is from."""
    failed = state.failed
    return {
        "files": state.files,
        "version": state.version,
        "loaded_at": state.loaded_at,
        "reloads": state.reloads,
        "failed_reloads": state.failures,
        "failed": None if failed is None else {"at": failed.at, "problems": failed.problems},
        "reap_interval_s": reap_interval_s,
        "policy": state.words,
        "origins": state.origins,
    }
