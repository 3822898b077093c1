"""What is said of a name that nothing is on record of. Pure."""

from shlex import quote

from subagentctl.fields import Record, nested, text
from subagentctl.policy_live import texts
from subagentctl.text import clean


def remark(answer: Record, then: str) -> str:
    """`nothing is on record of agent reseacher yet; did you mean researcher? ...`, and `then` what
    that means for what was done. Empty for a name that is known."""
    given = nested(answer, "not_on_record")
    if not given:
        return ""
    name = f"{text(given, 'scope')} {quote(text(given, 'id'))}"
    meant = [quote(each) for each in texts(given, "did_you_mean")]
    ask = f"; did you mean {' or '.join(meant)}?" if meant else "."
    return clean(f"note: nothing is on record of {name} yet{ask} {then}")
