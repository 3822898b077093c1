"""What the running sidecar says of its policy, beyond the rules. Pure."""

from collections.abc import Sequence
from datetime import datetime

from subagentctl import fields
from subagentctl.fields import Record
from subagentctl.look import Look
from subagentctl.reap_view import by_hand_only
from subagentctl.text import clean, wrap
from subagentctl.when import age, stamp

NO_FILES = "no policy: all rules are off"


def texts(record: Record, key: str) -> list[str]:
    """The texts in the list under `key`."""
    value = record.get(key)
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def state_lines(answer: Record, now: datetime, look: Look) -> list[str]:
    """Since when it is in force; and why the last reload failed, if it did."""
    lines = [f"in force {_since(answer, now)}"]
    if fields.nested(answer, "policy").get("lifecycle"):
        lines += by_hand_only(answer)
    failed = fields.nested(answer, "failed")
    if failed:
        lines += ["", look.paint(f"the last reload failed{_ago(failed, now)}:", "alarm")]
        lines += [f"- {clean(problem)}" for problem in texts(failed, "problems")]
    return [each for line in lines for each in _folded(line, look)]


def reloaded(answer: Record) -> str:
    """What a reload that went well came to."""
    version = clean(fields.text(answer, "version")) or "unknown"
    files = clean(", ".join(texts(answer, "files")))
    if not files:
        return f"read again: {NO_FILES}"
    if answer.get("changed") is False:
        return f"read again, and nothing has changed: version {version} of {files} stays in force"
    return f"reloaded: version {version} of {files} is in force"


def _since(answer: Record, now: datetime) -> str:
    version = clean(fields.text(answer, "version")) or "unknown"
    then = fields.moment(answer, "loaded_at")
    since = f"since {stamp(then)} ({age(then, now)} ago), " if then else ""
    return f"{since}version {version}"


def _ago(failed: Record, now: datetime) -> str:
    then = fields.moment(failed, "at")
    return f" {age(then, now)} ago, and changed nothing" if then else ", and changed nothing"


def _folded(text: str, look: Look) -> Sequence[str]:
    return wrap(text, look.width) if look.width and text else [text]
