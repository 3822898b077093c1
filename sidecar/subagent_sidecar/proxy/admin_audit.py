"""`/v1/audit`: what went around the sidecar, and how to put it on record."""

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from ..core.ghosts import Adoption, Audit, Found, Ghost, Not
from ..core.routing import UpstreamNames
from ..errors import AmbiguousTask, BadBody, NoSuchUpstream, TaskNotFound
from ..ports import Auditor
from . import admin_query as query
from .admin_about import came_to
from .admin_json import answer, json_body

_KNOWN = frozenset({"upstream", "limit"})
_BODY = frozenset({"upstream", "adopt"})
_USUAL, _MOST = 200, 1_000
_SHORTEST = 4


class AuditRoutes:
    """Handlers; `register` adds them."""

    def __init__(self, *, auditor: Auditor, upstreams: UpstreamNames) -> None:
        self._auditor = auditor
        self._upstreams = upstreams

    def register(self, app: web.Application) -> None:
        app.router.add_get("/v1/audit", self.audit)
        app.router.add_post("/v1/audit", self.adopt)

    async def audit(self, request: web.Request) -> web.Response:
        """What is on the servers and not on record."""
        given = request.query
        query.known(given, _KNOWN)
        most = query.number("limit", given.get("limit", str(_USUAL)), 1, _MOST)
        audits = await self._auditor.audit(self._asked(given.get("upstream")), most=most)
        return answer(
            {
                "upstreams": [_audit_json(audit) for audit in audits],
                "ghosts": [
                    _found_json(audit.upstream, found) for audit in audits for found in audit.ghosts
                ],
            }
        )

    async def adopt(self, request: web.Request) -> web.Response:
        """Puts ghosts on record: those that are named by their threads' ids, or parts of them, or
        all there are. Raises TaskNotFound, AmbiguousTask; then none is."""
        body = await json_body(request, _BODY)
        wanted = _wanted(body)
        upstream = body.get("upstream")
        if upstream is not None and not isinstance(upstream, str):
            raise BadBody("upstream: must be a name")
        audits = await self._auditor.audit(self._asked(upstream), most=_MOST)
        there = [(audit.upstream, found.ghost) for audit in audits for found in audit.ghosts]
        chosen = there if wanted is None else _chosen(wanted, there)
        came_to(request, adopt=[ghost.thread.thread_id for _, ghost in chosen], count=len(chosen))
        adoptions = await self._auditor.adopt(chosen)
        return answer(
            {
                "upstreams": [_audit_json(audit) for audit in audits],
                "adopted": [_adoption_json(each) for each in adoptions if each.problem is None],
                "left": [_adoption_json(each) for each in adoptions if each.problem is not None],
            }
        )

    def _asked(self, name: str | None) -> Sequence[str]:
        names = self._upstreams.names
        if not name:
            return names
        if name not in names:
            listed = ", ".join(names)
            raise NoSuchUpstream(f"there is no upstream '{name[:80]}'; there are: {listed}")
        return [name]


def _wanted(body: Mapping[str, Any]) -> Sequence[str] | None:
    """Ids, or None for all."""
    given = body.get("adopt")
    if given == "all":
        return None
    if not isinstance(given, list) or not given or not all(isinstance(one, str) for one in given):
        raise BadBody('adopt: must be "all", or a list of thread ids')
    for one in given:
        if len(one) < _SHORTEST:
            raise BadBody(f"adopt: '{one}' is too short; give at least {_SHORTEST} characters")
    return list(dict.fromkeys(given))


def _chosen(
    wanted: Sequence[str], there: Sequence[tuple[str, Ghost]]
) -> Sequence[tuple[str, Ghost]]:
    """What is meant, once each."""
    meant = [_meant(one, there) for one in wanted]
    return list({(name, ghost.thread.thread_id): (name, ghost) for name, ghost in meant}.values())


def _meant(given: str, there: Sequence[tuple[str, Ghost]]) -> tuple[str, Ghost]:
    by_id = {ghost.thread.thread_id: (name, ghost) for name, ghost in there}
    if given in by_id:
        return by_id[given]
    fits = [one for one in by_id if one.startswith(given) or one.endswith(given)]
    if not fits:
        raise TaskNotFound(
            f"no task that is not on record has an id that begins or ends with '{given[:80]}'"
        )
    if len(fits) > 1:
        raise AmbiguousTask(f"'{given[:80]}' fits several tasks", candidates=fits[:10])
    return by_id[fits[0]]


def _audit_json(audit: Audit) -> dict[str, Any]:
    counts = {each.value: audit.others.get(each, 0) for each in Not}
    return {
        "upstream": audit.upstream,
        "threads": audit.threads,
        "ghosts": len(audit.ghosts),
        **counts,
        "more": audit.more,
        "problem": audit.problem,
    }


def _found_json(upstream: str, found: Found) -> dict[str, Any]:
    ghost = found.ghost
    return {
        "upstream": upstream,
        "thread_id": ghost.thread.thread_id,
        "agent_name": ghost.agent_name,
        "assistant_id": ghost.assistant_id,
        "session_id": ghost.session_id,
        "cause": ghost.cause.value,
        "evidence": list(ghost.evidence),
        "status": ghost.thread.status,
        "created_at": ghost.thread.created_at,
        "updated_at": ghost.thread.updated_at,
        "run_id": found.run_id,
        "run_status": found.run_status,
    }


def _adoption_json(adoption: Adoption) -> dict[str, Any]:
    return {
        "upstream": adoption.upstream,
        "task_id": adoption.thread_id,
        "agent_name": adoption.agent_name,
        "problem": adoption.problem,
    }
