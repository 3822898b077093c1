"""What happened to a task, in words: one clause for each event, for the timeline and the feed.

The sidecar may be newer than this program: an event it does not know is told by its own name and
whatever it brings along.
"""

from collections.abc import Callable, Mapping

from subagentctl import fields
from subagentctl.act_words import acted
from subagentctl.fields import Record, nested
from subagentctl.numbers import of_limit, usd
from subagentctl.reasons import for_people

_WHO = {
    "upstream": "its server",
    "supervisor": "the supervisor",
    "operator": "an operator",
    "reaper": "the reaper",
    "budget": "a budget",
    "server_lost": "the loss of its server",
}
_FOLLOW_UPS = {
    "": "follow-up sent",
    "interrupt": "follow-up sent, interrupting the run before it",
    "enqueue": "follow-up sent, queued behind the run before it",
    "rollback": "follow-up sent, undoing the run before it",
    "reject": "follow-up sent",
}
_RUN = {
    "pending": "run is queued",
    "running": "run began",
    "success": "run succeeded",
    "error": "run failed",
    "timeout": "run timed out",
    "interrupted": "run was interrupted",
}
_TASK = {
    "pending": "queued",
    "running": "running",
    "waiting": "waiting for a human",
}
_TOO_LATE = {
    "success": "cancel came too late: the run had succeeded",
    "error": "cancel came too late: the run had failed",
    "timeout": "cancel came too late: the run had timed out",
}
_ALARMING = frozenset(
    {"cancel_unconfirmed", "in_doubt", "start_failed", "refused", "gap", "budget_exhausted"}
    | {"reaped"}
)


def clause(event: Record) -> str:
    """`ended: cancelled by an operator: too dear`. It may hold any text from elsewhere."""
    kind = fields.text(event, "kind")
    return _CLAUSES.get(kind, _unknown)(event)


def style_of(event: Record) -> str:
    """The name of the style to paint it in; "" for what nobody needs to look at twice."""
    kind = fields.text(event, "kind")
    if kind in _ALARMING:
        return "alarm"
    return fields.text(event, "status") if kind in ("status", "ended") else ""


def _started(event: Record) -> str:
    status = fields.text(event, "status")
    return "started" if status in ("", "pending") else f"started ({status})"


def _updated(event: Record) -> str:
    strategy = _detail(event, "strategy")
    return _FOLLOW_UPS.get(strategy, f"follow-up sent ({strategy})")


def _by_status(words: Mapping[str, str], otherwise: str) -> Callable[[Record], str]:
    def told(event: Record) -> str:
        status = fields.text(event, "status")
        return words.get(status, otherwise.format(status or "unknown"))

    return told


def _ended(event: Record) -> str:
    by = _detail(event, "by")
    status = fields.text(event, "status") or "unknown"
    return _because(f"ended: {status}{'' if by == 'upstream' else _by(by)}", event)


def _cancel_asked(event: Record) -> str:
    return _because(f"cancel asked for{_by(_detail(event, 'by'))}", event)


def _cancel_unconfirmed(event: Record) -> str:
    if nested(event, "detail").get("again") is True:
        return "cancelled run is at work again: its server forgot the cancel"
    tried = nested(event, "detail").get("tried")
    steps = ", ".join(map(str, tried)) if isinstance(tried, list) else ""
    return "cancel not obeyed: the run goes on" + (f" (tried: {steps})" if steps else "")


def _cancel_confirmed(event: Record) -> str:
    if nested(event, "detail").get("lost") is True:
        return "cancel tried no more: its server has neither the run nor its thread"
    return "cancel confirmed: the run is over"


def _thread_deleted(event: Record) -> str:
    by = _detail(event, "by")
    if by in ("", "upstream", "server_lost"):
        return "thread is gone from its server"
    return f"thread deleted{_by(by)}"


def _cron_created(event: Record) -> str:
    return f"cron {_detail(event, 'cron_id')}".rstrip() + " created"


def _against(words: str) -> Callable[[Record], str]:
    """`start refused by session-fan-out: concurrent 5 of 5 (session s1)`."""

    def told(event: Record) -> str:
        rule = _detail(event, "rule")
        if not rule:
            return words.split(",")[0]
        if _detail(event, "what") == "key":
            rule = "its key"
        return f"{words}{rule}{_counted(event)}{_held(event)}{_within(event)}{_times(event)}"

    return told


def _times(event: Record) -> str:
    """`, 4,211 times since 02:30:00Z`: equal refusals are one event."""
    detail = nested(event, "detail")
    times, since = fields.count(detail, "times"), fields.moment(detail, "first_at")
    if not times or times < 2:
        return ""
    return f", {times:,} times" + (f" since {since:%H:%M:%S}Z" if since else "")


def _counted(event: Record) -> str:
    """`: concurrent 5 of 5`; nothing where nothing is counted."""
    what, detail = _detail(event, "what"), nested(event, "detail")
    current, limit = detail.get("current"), detail.get("limit")
    match what:
        case "deny" | "frozen" | "key" | "":
            return ""
        case "unpriced":
            return ": runs of models without a price"
        case "micro_usd" if isinstance(current, int) and isinstance(limit, int):
            return f": {_dollars(current)} of {_dollars(limit)}"
        case "run_time" if isinstance(current, int) and isinstance(limit, int):
            return f": run time {of_limit(what, current // 1_000_000, limit // 1_000_000)}"
        case _:
            return f": {what} {of_limit(what, current, limit)}"


def _dollars(micro: int) -> str:
    return usd(f"{micro // 1_000_000}.{micro % 1_000_000:06d}")


def _within(event: Record) -> str:
    scope, scope_id = _detail(event, "scope"), _detail(event, "scope_id")
    place = scope if scope_id in ("", "*") else f"{scope} {scope_id}"
    return f" ({place})" if place else ""


def _lever(words: str) -> Callable[[Record], str]:
    """`starts of agent coder frozen: it loops`."""

    def told(event: Record) -> str:
        scope, scope_id = _detail(event, "scope"), _detail(event, "scope_id")
        whose = "all starts" if scope == "global" else f"starts of {scope} {scope_id}".rstrip()
        return _because(f"{whose} {words}", event)

    return told


def _budget_raised(event: Record) -> str:
    added = nested(nested(event, "detail"), "added")
    amounts = [_amount(what, added, what) for what in added]
    by = f" by {', '.join(amounts)}" if amounts else ""
    return f"budget {_detail(event, 'budget')} raised{by}{_within(event)}"


def _budget(words: str) -> Callable[[Record], str]:
    """`budget session-usd is nearly spent: $4.10 of $5.00 (session s1)`."""

    def told(event: Record) -> str:
        what = _detail(event, "what")
        used, most = (_amount(what, nested(event, "detail"), key) for key in _USED)
        numbers = f"{used.removesuffix(_unit(most))} of {most}"
        ended = fields.count(nested(event, "detail"), "count")
        tasks = f", {ended:,} task{'' if ended == 1 else 's'} at work" if ended else ""
        note = " (observed only)" if _detail(event, "mode") == "observe" else ""
        said = f"{words}: {numbers}{_held(event)}{_within(event)}"
        return f"budget {_detail(event, 'rule')} {said}{tasks}{note}"

    return told


def _unit(amount: str) -> str:
    """` tokens` of `1,000 tokens`: said once where there are two amounts."""
    return "".join(amount.partition(" ")[1:])


def _budget_near(event: Record) -> str:
    """What is read at once may be past the soft threshold and the limit."""
    current, limit = (fields.number(nested(event, "detail"), key) or 0 for key in _USED)
    words = "has passed its soft threshold" if current >= limit else "is nearly spent"
    return _budget(words)(event)


def _reap(words: str) -> Callable[[Record], str]:
    """`reaped by rule clocks: running for 31 min, rule clocks allows 30 min`."""

    def told(event: Record) -> str:
        rule, evidence = _detail(event, "rule"), _detail(event, "evidence")
        by = f" by {rule if ' ' in rule else f'rule {rule}'}" if rule else ""
        return f"{words}{by}" + (f": {evidence}" if evidence else "")

    return told


_USED = ("current", "limit")


def _held(event: Record) -> str:
    """`, $0.40 of it only reserved`."""
    detail = nested(event, "detail")
    if not fields.number(detail, "reserved"):
        return ""
    return f", {_amount(_detail(event, 'what'), detail, 'reserved')} of it only reserved"


def _amount(what: str, detail: Record, key: str) -> str:
    value = fields.number(detail, key)
    if value is None:
        return "?"
    match what:
        case "micro_usd":
            return _dollars(int(value))
        case "run_time":
            return f"{value / 1_000_000:,.0f} s of run time"
        case _:
            return f"{value:,} {what}"


def _session_beat(event: Record) -> str:
    again = nested(event, "detail").get("reopened") is True
    return f"session {_detail(event, 'session')} {'is open again' if again else 'holds a lease'}"


def _session_ended(event: Record) -> str:
    """`session s1 ended by an operator, 2 tasks are live: enough`."""
    live = fields.count(nested(event, "detail"), "count")
    tasks = f", {live:,} task{' is' if live == 1 else 's are'} live" if live else ""
    by = _by(_detail(event, "by"))
    return _because(f"session {_detail(event, 'session')} ended{by}{tasks}", event)


def _reasoned(words: str) -> Callable[[Record], str]:
    return lambda event: _because(words, event)


def _unknown(event: Record) -> str:
    """`budget raised: running (by=operator, usd=5)`."""
    words = fields.text(event, "kind").replace("_", " ").strip() or "something happened"
    status, detail = fields.text(event, "status"), nested(event, "detail")
    facts = [
        f"{key}={fields.text(detail, key)}" for key in detail if detail[key] not in (None, "", [])
    ]
    return words + (f": {status}" if status else "") + (f" ({', '.join(facts)})" if facts else "")


def _by(who: str) -> str:
    return f" by {_WHO.get(who, who)}" if who else ""


def _because(words: str, event: Record) -> str:
    reason = for_people(_detail(event, "by"), _detail(event, "reason").strip())
    return f"{words}: {reason}" if reason else words


def _detail(event: Record, key: str) -> str:
    return fields.text(nested(event, "detail"), key)


def _key(event: Record) -> str:
    return f"key {_detail(event, 'key_id')} of supervisor {_detail(event, 'supervisor')}"


_PAST = "it was started past the sidecar"
_CAUSES = {
    "before": "it is older than the record",
    "elsewhere": "it was started through another sidecar",
    "lost": "it was started through a sidecar, before this record began",
}
_CLAUSES: Mapping[str, Callable[[Record], str]] = {
    "started": _started,
    "updated": _updated,
    "run_status": _by_status(_RUN, "run is {}"),
    "status": _by_status(_TASK, "task is {}"),
    "ended": _ended,
    "in_doubt": _reasoned("start in doubt"),
    "start_failed": _reasoned("start came to nothing"),
    "cancel_asked": _cancel_asked,
    "cancel_confirmed": _cancel_confirmed,
    "cancel_too_late": _by_status(_TOO_LATE, "cancel came too late: the run had ended ({})"),
    "cancel_unconfirmed": _cancel_unconfirmed,
    "thread_deleted": _thread_deleted,
    "cron_created": _cron_created,
    "refused": _against("start refused by "),
    "would_refuse": _against("start let in, although an observing rule was against it: "),
    "clock_set_back": lambda event: (
        f"clock set back by {_detail(event, 'by_s')} s: {_detail(event, 'runs')} runs count as "
        "started earlier"
    ),
    "adopted": lambda event: f"put on record: {_CAUSES.get(_detail(event, 'cause'), _PAST)}",
    "frozen": _lever("frozen"),
    "unfrozen": _lever("no longer frozen"),
    "key_created": lambda event: f"{_key(event)} was made",
    "key_revoked": lambda event: f"{_key(event)} was revoked",
    "budget_raised": _budget_raised,
    "budget_near": _budget_near,
    "budget_exhausted": _budget("is spent"),
    "would_cancel": _budget("is spent, and would end tasks if it were enforced"),
    "session_beat": _session_beat,
    "session_ended": _session_ended,
    "reaped": _reap("reaped"),
    "abandoned": _reap("left to itself"),
    "would_reap": _reap("would be reaped, if it were enforced,"),
    "admin_act": acted,
    "gap": lambda event: f"some events are missing: {fields.text(event, 'reason')}",
}
KINDS = frozenset(_CLAUSES)
"""The kinds of event this version has words for."""
