"""Every metric there is, in one table: what it is called, what it says, and its labels.

Names and units follow Prometheus' conventions. Labels are bounded: no id of anything is one, and
names that callers choose are folded (labels.py). docs/reference/metrics.md has an entry for each,
which a test sees to.
"""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Instrument:
    """One metric. `name` is what queries say: that of a counter ends in `_total`, that of an
    info in `_info`, and a histogram has `_bucket`, `_sum` and `_count` behind its own."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()


def _counter(name: str, help: str, *labels: str) -> Instrument:
    return Instrument(f"subagent_{name}_total", Kind.COUNTER, help, labels)


def _gauge(name: str, help: str, *labels: str) -> Instrument:
    return Instrument(f"subagent_{name}", Kind.GAUGE, help, labels)


def _histogram(name: str, help: str, *labels: str) -> Instrument:
    return Instrument(f"subagent_{name}", Kind.HISTOGRAM, help, labels)


def _info(name: str, help: str, *labels: str) -> Instrument:
    return Instrument(f"subagent_{name}_info", Kind.INFO, help, labels)


_AGENT = ("upstream", "agent")
_MODEL = ("upstream", "agent", "model")
_RULE = ("policy", "rule")

# What tasks do

TASKS_LIVE = _gauge("tasks_live", "Tasks that have not ended", *_AGENT, "status")
TASKS_OLDEST = _gauge(
    "tasks_oldest_seconds",
    "How long the live task that has been in its status for longest has been in it; 0 without one",
    "upstream",
    "status",
)
TASKS_STARTED = _counter("tasks_started", "Tasks whose first run a server accepted", *_AGENT)
TASKS_UPDATED = _counter("tasks_updated", "Further runs accepted on tasks' threads", *_AGENT)
TASKS_FINISHED = _counter(
    "tasks_finished", "Tasks that ended, by how and by whose act", *_AGENT, "status", "cause"
)
TASKS_REAPED = _counter("tasks_reaped", "Tasks the reaper ended, by why", "upstream", "reason")
TASKS_WOULD_REAP = _counter(
    "tasks_would_reap", "Tasks an observing rule would have ended, by why", "upstream", "reason"
)
RUN_QUEUE = _histogram(
    "run_queue_seconds", "How long runs waited until they were seen at work", *_AGENT
)
RUN_DURATION = _histogram(
    "run_duration_seconds", "How long runs were at work until they ended", *_AGENT
)
CANCELS_ASKED = _counter("cancels_asked", "Runs that somebody wanted to end", "upstream", "by")
CANCELS_SETTLED = _counter(
    "cancels_settled", "What became of cancels, as far as was seen", "upstream", "outcome"
)
CANCELS_UNCONFIRMED = _gauge(
    "cancels_unconfirmed", "Runs that go on although they were cancelled", "upstream"
)

# What starts are answered

STARTS_REFUSED = _counter("starts_refused", "Starts that a rule refused", *_RULE)
STARTS_WOULD_REFUSE = _counter(
    "starts_would_refuse", "Starts let in that an observing rule would have refused", *_RULE
)
STARTS_FAILED = _counter("starts_failed", "Starts that came to nothing", "agent")
STARTS_DOUBTED = _counter("starts_doubted", "Starts that were sent and never answered", "upstream")
STARTS_UNSETTLED = _gauge(
    "starts_unsettled", "Starts whose outcome is not on record", "upstream", "state"
)
FREEZES = _gauge("freezes", "Kill switches that are pulled, by the kind of their scope", "scope")

# What is spent

TOKENS = _counter("tokens", "Tokens of models, cached ones included in input", *_MODEL, "type")
CACHED_TOKENS = _counter(
    "cached_tokens", "Input tokens read from or written to a cache", *_MODEL, "type"
)
COST = _counter("cost_usd", "What tokens cost, where a price is known, in US dollars", *_MODEL)
UNPRICED = _counter(
    "unpriced_messages", "Messages of models whose tokens no price is known for", *_MODEL
)
BUDGET_REMAINING = _gauge(
    "budget_remaining_ratio",
    "What is left of a budget in the scope that is closest to its end, 1 for all of it",
    *_RULE,
)
BUDGET_NEAR = _gauge(
    "budget_scopes_near", "Scopes in which a budget is past its soft threshold", *_RULE
)
BUDGET_EXHAUSTED = _gauge("budget_scopes_exhausted", "Scopes in which a budget is spent", *_RULE)
BUDGET_TOLD = _counter("budget_told", "Thresholds of budgets that were told of", *_RULE, "told")

# What is in force

POLICY_INFO = _info("policy", "The version of the policy in force", "version")
POLICY_RULES = _gauge("policy_rules", "Rules in force", "kind", "mode")
POLICY_LOADED = _gauge(
    "policy_loaded_timestamp_seconds", "When what is in force was taken up, in Unix time"
)
POLICY_RELOADS = _counter("policy_reloads", "Attempts to reload the policy", "result")
POLICY_RELOAD_FAILED = _gauge(
    "policy_reload_failed", "Whether the last reload failed, so that older rules are in force"
)

# Servers

UPSTREAM_UP = _gauge(
    "upstream_up", "Whether an upstream answers, as far as anybody asked", "upstream"
)
UPSTREAM_BREAKER = _gauge(
    "upstream_breaker", "1 for the state the circuit breaker is in", "upstream", "state"
)
UPSTREAM_REQUESTS = _counter(
    "upstream_requests", "Requests to an upstream, by what came of them", "upstream", "result"
)
UPSTREAM_WAITS = _histogram(
    "upstream_request_duration_seconds", "How long an upstream took to begin an answer", "upstream"
)
UPSTREAM_CONNECTIONS = _gauge(
    "upstream_connections", "Open connections to an upstream", "upstream", "state"
)
WATCHED = _gauge("watcher_tasks", "Tasks the watcher follows", "upstream")
WATCHER_LAG = _gauge(
    "watcher_lag_seconds", "By how much the watcher's most overdue question is late", "upstream"
)

# The sidecar itself

PROXY_REQUESTS = _counter("proxy_requests", "Answered requests of supervisors", "kind", "code")
PROXY_OVERHEAD = _histogram(
    "proxy_overhead_seconds", "What the sidecar added to requests answered in one piece", "kind"
)
PROXY_STREAMS = _gauge(
    "proxy_streams", "Answers being passed on in pieces, and WebSockets", "upstream", "kind"
)
PROXY_SHARED = _counter(
    "proxy_shared_checks", "Polls answered with the upstream's answer to an identical one"
)
ADMIN_REFUSED = _counter(
    "admin_refused", "Requests that the admin plane did not let in, by why", "reason"
)
KEYS_REFUSED = _counter(
    "keys_refused", "Requests turned away for want of a good supervisor key, by why", "reason"
)
STORE_UP = _gauge("store_up", "Whether the record could be read for this scrape")
STORE_COMMITS = _histogram("store_commit_duration_seconds", "How long transactions took")
STORE_WRITES = _counter("store_writes", "Writes that were committed, several in a transaction")
STORE_WAITING = _gauge("store_writes_waiting", "Writes handed to the store that are not done")
STORE_ERRORS = _counter("store_errors", "Reads and writes the store could not do", "error")
UNRECORDED = _gauge("records_waiting", "Changes that are not on record yet")
DROPPED = _counter("records_dropped", "Changes the store will never take, and that were given up")
UNCOUNTED = _gauge(
    "events_uncounted", "Events on record that the counters here do not have in them yet"
)
TRACE_SPANS = _counter("trace_spans", "Spans made of the record, by what became of them", "result")
TRACE_FAILURES = _counter(
    "trace_export_failures", "Attempts to export spans that the endpoint did not take"
)
OTLP_SPANS = _counter("otlp_spans", "Spans of others, by what was done with them", "result")
OTLP_HELD = _counter(
    "otlp_spans_held", "Spans of others that had to wait until it was known whose they are"
)
OTLP_HELD_NOW = _gauge("otlp_spans_waiting", "Spans of others that wait for that now")
OTLP_SENT = _counter("otlp_spans_sent", "Spans of others that the endpoint has taken")
OTLP_DROPPED = _counter("otlp_spans_dropped", "Spans of others that were lost, by why", "reason")
OTLP_TURNED_AWAY = _counter(
    "otlp_requests_turned_away", "Requests of emitters that were told to come again"
)
OTLP_BUFFER = _gauge(
    "otlp_buffer_bytes", "What is held, waits to be sent on, or to be gone through"
)
OTLP_FAILURES = _counter(
    "otlp_send_failures", "Attempts to send spans of others on that were in vain"
)
PUSHED = _counter(
    "push_deliveries", "Ends told to targets of push, by what became of them", "target", "result"
)
PUSH_FAILURES = _counter("push_failures", "Attempts to push that were in vain", "target")
PUSH_WAITING = _gauge("push_waiting", "Ends that are to be told to targets of push", "target")
BUILD_INFO = _info("build", "The sidecar, and what it runs on", "version", "python", "store")

ALL: tuple[Instrument, ...] = tuple(
    value for value in globals().values() if isinstance(value, Instrument)
)
"""In the order in which they are told."""
