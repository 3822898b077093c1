"""Every error the sidecar raises, and how each one reads to the outside.

    SidecarError
    |-- ConfigError            the operator's: bad file, flag or variable (exit 64)
    |   `-- PolicyInvalid      422  a reload of policy files that cannot be used
    |-- RequestError           the caller's: 4xx
    |   |-- BadTarget          400  a path that is not one
    |   |-- BadHeader          400  two credentials where one is meant
    |   |-- BadQuery           400  an admin filter that cannot be understood
    |   |-- BadBody            400  an admin request whose body cannot be understood
    |   |-- NotJson            415  an admin request that is not declared as JSON
    |   |-- BadTelemetry       400  spans that cannot be read
    |   |-- UnknownEncoding    415  spans in an encoding that is not OTLP's
    |   |-- ForeignOrigin      421  an admin request that a web page may have sent
    |   |-- TokenNeeded        401  the admin plane has tokens, and this request has none of them
    |   |-- RoleNeeded         403  its token may not do that
    |   |-- Unauthenticated    401  nobody who may come in
    |   |   |-- KeyMissing     401
    |   |   |-- KeyUnknown     401
    |   |   |-- KeyExpired     401
    |   |   `-- KeyRevoked     401
    |   |-- KeyBusy            429  as many requests of one key as may be are being served
    |   |-- KeyTooNarrow       403  a key for some agents, and a change to what they are
    |   |-- BodyTimeout        408  the body stopped coming
    |   |-- BodyTooLarge       413
    |   |-- NoSuchRoute        404  a path of our own that does not exist
    |   |-- NoSuchUpstream     404  `/to/<name>` or the header names nobody
    |   |-- AmbiguousUpstream  421  several upstreams, nothing says which
    |   |-- TaskNotFound       404
    |   |-- ThreadNotFound     404  there is no such thread for this caller
    |   |-- RunNotFound        404  nor such a run of its thread
    |   |-- ThreadExists       409  the id of a new thread is taken
    |   |-- NeedsEveryTask     403  what would reach beyond the caller's own tasks
    |   |-- NoSuchTool         404
    |   |-- NoSuchAgent        404  a tool is to start an agent that nobody knows
    |   |-- TaskIsOver         409  a tool is to cancel a task that has ended
    |   |-- NotAName         400  a name for a lever that can only be a mistake
    |   |-- NoSuchBudget       404  a budget that is not in force
    |   |-- NotFrozen          404  an unfreeze of what is not frozen
    |   |-- KeyNotFound        404  an operator's word for a key that there is not
    |   |-- AmbiguousKey       409  a supervisor that has several keys
    |   |-- AmbiguousTask      409  a short id that fits several tasks
    |   |-- SessionNotFound    404
    |   |-- AmbiguousSession   409  an id that fits several sessions
    |   |-- SessionOver        410  a heartbeat of a session that was ended
    |   |-- KeyReused          422  one idempotency key for two different starts
    |   `-- AlreadyStarted     409  a start that was made before, and cannot be answered again
    |       |-- StartUnderWay  409  it is being made right now
    |       `-- StartInDoubt   409  it was sent, and what became of it is not known
    |-- UpstreamError          the agent server's
    |   |-- UpstreamUnreachable  502  nothing of the request was sent
    |   |-- UpstreamBroken         502  the connection broke after something was sent
    |   |-- UpstreamTimeout        504  connect or first byte took too long
    |   |-- UpstreamRefused        502  it answered a question of our own with an error
    |   |-- NotCancelled           502  a tool's cancel was sent, and the task may go on
    |   `-- AgentUnknown           503  it does not say whose a start is, and rules ask for that
    `-- StoreError             ours
        |-- StoreBusy          503  too many writes are waiting
        |-- StoreUnavailable   503  locked, full, unreadable
        |-- StoreRejected      503  this one record cannot be entered, ever
        `-- StoreCorrupt       exit 74 at start, 503 later
    TelemetryFull              503  ours: too many spans of others wait
    Draining                   503  ours: stopping
    Refused (core.refusal)     402, 403  the policy's: a start that may not be

`code` is stable and documented in docs/reference/errors.md; `status` is the HTTP status it
becomes; `retry_after_s` is set where waiting helps. Foreign exceptions are turned into these at
the edge that meets them, and these into JSON in one place (`proxy/problems.py`).
"""

from collections.abc import Sequence


class SidecarError(Exception):
    """Base of all errors the sidecar raises on purpose."""

    code: str = "sidecar_error"
    status: int = 500
    retry_after_s: float | None = None

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        if retry_after_s is not None:
            self.retry_after_s = retry_after_s


class ConfigError(SidecarError):
    """The configuration cannot be used; `problems` holds one sentence for each cause."""

    code = "config_invalid"

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class PolicyInvalid(ConfigError):
    """The policy files cannot be used; what was in force stays so."""

    code = "policy_invalid"
    status = 422


class RequestError(SidecarError):
    """The request cannot be served as it was sent."""

    code = "bad_request"
    status = 400


class BadTarget(RequestError):
    code = "bad_target"


class BadHeader(RequestError):
    code = "bad_header"


class BadQuery(RequestError):
    code = "bad_query"


class BadBody(RequestError):
    code = "bad_body"


class NotJson(RequestError):
    code = "not_json"
    status = 415


class BadTelemetry(RequestError):
    code = "bad_telemetry"


class UnknownEncoding(RequestError):
    code = "unknown_encoding"
    status = 415


class ForeignOrigin(RequestError):
    code = "foreign_origin"
    status = 421


class TokenNeeded(RequestError):
    """`challenge` is what WWW-Authenticate says."""

    code = "token_needed"
    status = 401

    def __init__(self, message: str, *, challenge: str) -> None:
        super().__init__(message)
        self.challenge = challenge


class RoleNeeded(RequestError):
    code = "role_needed"
    status = 403


class Unauthenticated(RequestError):
    """Whoever asks has not said who that is, by a key that is good."""

    code = "unauthenticated"
    status = 401


class KeyMissing(Unauthenticated):
    code = "key_missing"


class KeyUnknown(Unauthenticated):
    code = "key_unknown"


class KeyExpired(Unauthenticated):
    code = "key_expired"


class KeyRevoked(Unauthenticated):
    code = "key_revoked"


class KeyBusy(RequestError):
    code = "key_busy"
    status = 429
    retry_after_s = 1.0


class KeyTooNarrow(RequestError):
    code = "key_too_narrow"
    status = 403


class BodyTimeout(RequestError):
    code = "body_timeout"
    status = 408


class BodyTooLarge(RequestError):
    code = "body_too_large"
    status = 413


class WebhookRefused(RequestError):
    """A start asks for a webhook where none may lead. The message is for the model whose call it
    was."""

    code = "webhook_refused"
    status = 403


class NoSuchRoute(RequestError):
    code = "no_such_route"
    status = 404


class NoSuchUpstream(RequestError):
    code = "no_such_upstream"
    status = 404


class AmbiguousUpstream(RequestError):
    code = "ambiguous_upstream"
    status = 421


class TaskNotFound(RequestError):
    code = "task_not_found"
    status = 404


class OutOfSight(RequestError):
    """It is told so of what is another supervisor's and of what is not there, in the words that
    agent servers have for the latter."""


class ThreadNotFound(OutOfSight):
    code = "thread_not_found"
    status = 404


class RunNotFound(OutOfSight):
    code = "run_not_found"
    status = 404


class ThreadExists(OutOfSight):
    code = "thread_exists"
    status = 409


class NeedsEveryTask(OutOfSight):
    code = "needs_every_task"
    status = 403


class NoSuchTool(RequestError):
    code = "no_such_tool"
    status = 404


class NoSuchAgent(RequestError):
    code = "no_such_agent"
    status = 404


class TaskIsOver(RequestError):
    code = "task_is_over"
    status = 409


class NotAName(RequestError):
    code = "not_a_name"


class NoSuchBudget(RequestError):
    code = "no_such_budget"
    status = 404


class NotFrozen(RequestError):
    code = "not_frozen"
    status = 404


class KeyNotFound(RequestError):
    code = "key_not_found"
    status = 404


class AmbiguousKey(RequestError):
    """`candidates` are the ids of the keys."""

    code = "ambiguous_key"
    status = 409

    def __init__(self, message: str, *, candidates: Sequence[str]) -> None:
        super().__init__(message)
        self.candidates = tuple(candidates)


class AmbiguousTask(RequestError):
    """`candidates` are some of the ids that fit."""

    code = "ambiguous_task"
    status = 409

    def __init__(self, message: str, *, candidates: Sequence[str]) -> None:
        super().__init__(message)
        self.candidates = tuple(candidates)


class SessionNotFound(RequestError):
    code = "session_not_found"
    status = 404


class AmbiguousSession(RequestError):
    """`candidates` are some of those that fit, as (supervisor, session id)."""

    code = "ambiguous_session"
    status = 409

    def __init__(self, message: str, *, candidates: Sequence[tuple[str, str]]) -> None:
        super().__init__(message)
        self.candidates = tuple(candidates)


class SharedSession(RequestError):
    code = "shared_session"
    status = 403


class SessionOver(RequestError):
    """`ended_at` says since when."""

    code = "session_over"
    status = 410

    def __init__(self, message: str, *, ended_at: str | None) -> None:
        super().__init__(message)
        self.ended_at = ended_at


class KeyReused(RequestError):
    code = "idempotency_key_reused"
    status = 422


class AlreadyStarted(RequestError):
    """`task_id` and `run_id` say what was started, as far as it is known."""

    code = "already_started"
    status = 409

    def __init__(
        self, message: str, *, task_id: str | None = None, run_id: str | None = None
    ) -> None:
        super().__init__(message)
        self.task_id = task_id
        self.run_id = run_id


class StartUnderWay(AlreadyStarted):
    code = "start_under_way"
    retry_after_s = 1.0


class StartInDoubt(AlreadyStarted):
    code = "start_in_doubt"
    retry_after_s = 2.0


class UpstreamError(SidecarError):
    """The agent server could not be reached or did not keep up its side."""

    code = "upstream_error"
    status = 502
    retry_after_s = 1.0
    task_id: str | None = None
    """The task whose start fell into doubt, if one did."""
    upstream: str | None = None
    """The upstream's name, where a request of a client's was on its way to it."""


class UpstreamUnreachable(UpstreamError):
    """No connection: nothing of the request reached the server, so nothing was started."""

    code = "upstream_unreachable"


class UpstreamBroken(UpstreamError):
    """The connection broke after (part of) the request was sent: the outcome is not known."""

    code = "upstream_broken"


class UpstreamTimeout(UpstreamError):
    """`phase` is "connect" (nothing was sent) or "first byte" (the outcome is not known)."""

    code = "upstream_timeout"
    status = 504

    def __init__(self, message: str, *, phase: str) -> None:
        super().__init__(message)
        self.phase = phase


class UpstreamRefused(UpstreamError):
    """The server is there and answers, but not this: credentials it wants, an error of its own, a
    body of another shape. `answered` is its HTTP status, where it is known."""

    code = "upstream_refused"

    def __init__(self, message: str, *, answered: int = 0) -> None:
        super().__init__(message)
        self.answered = answered


class NotCancelled(UpstreamError):
    """A task was to be cancelled, and its end is not certain. It goes on being tried."""

    code = "not_cancelled"


class AgentUnknown(UpstreamError):
    """A start gives an assistant by its id, and nobody can tell which graph that is."""

    code = "agent_unknown"
    status = 503


class StoreError(SidecarError):
    """The store cannot do what was asked of it."""

    code = "store_error"
    status = 503
    retry_after_s: float | None = 1.0


class StoreBusy(StoreError):
    code = "store_busy"


class StoreUnavailable(StoreError):
    code = "store_unavailable"


class StoreRejected(StoreError):
    code = "store_rejected"
    retry_after_s = None


class StoreCorrupt(StoreError):
    code = "store_corrupt"


class TelemetryFull(SidecarError):
    """There is no room for more spans of others; their emitters keep them."""

    code = "telemetry_full"
    status = 503


class Draining(SidecarError):
    """The sidecar is stopping and takes no new work."""

    code = "draining"
    status = 503
    retry_after_s = 2.0
