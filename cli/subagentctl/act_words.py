"""What was done by the admin plane, in words: who, from where, what, and what came of it."""

import re
from functools import partial

from subagentctl import fields
from subagentctl.fields import Record, nested

ACTS = {
    "cancel": "cancel task {task_id}",
    "cancel_many": "cancel {count} tasks",
    "end_session": "end session {session_id}",
    "reload_policy": "reload the policy",
    "make_key": "make a key of {name}",
    "revoke_key": "revoke key {key}",
    "raise_budget": "raise budget {rule}",
    "freeze": "freeze {scope} {id}",
    "unfreeze": "unfreeze {scope} {id}",
    "reap": "reap",
    "adopt": "put {count} tasks on record",
    "use_tool": "use {tool} {task_id}",
}
_BLANK = re.compile(r"(?P<before>( of)? )\{(?P<key>\w+)\}")
OUTCOMES = {
    "done": "done",
    "under_way": "under way",
    "refused": "refused",
    "failed": "failed",
    "denied": "denied",
    "cut_short": "cut short by the sidecar's end",
}


def acted(event: Record) -> str:
    """`alice: freeze agent coder: done (operator, from 127.0.0.1)`."""
    detail = nested(event, "detail")
    outcome, code = fields.text(detail, "outcome"), fields.text(detail, "code")
    ending = OUTCOMES.get(outcome, outcome) + (f", {code}" if code else "")
    if (times := fields.count(detail, "times") or 1) > 1:
        ending += f", {times:,} times"
    who = fields.text(detail, "by") or "somebody"
    return f"{who}: {_what(detail)}: {ending}{_standing(detail)}"


def _what(detail: Record) -> str:
    """What there is to fill in; a request that was denied was not read to its end."""
    act, target = fields.text(detail, "act"), nested(detail, "target")
    words = ACTS.get(act, act.replace("_", " "))
    return _BLANK.sub(partial(_filled, target), words).strip() or "something"


def _filled(target: Record, blank: re.Match[str]) -> str:
    told = fields.text(target, blank["key"])
    return f"{blank['before']}{told}" if told else ""


def _standing(detail: Record) -> str:
    role = fields.text(detail, "role") if fields.text(detail, "by") != "anonymous" else ""
    address = fields.text(detail, "from")
    told = ", ".join(filter(None, [role, f"from {address}" if address else ""]))
    return f" ({told})" if told else ""
