"""How the books keep what sessions say of themselves.

Both changes may come twice, and late: each says when it was so, and what is older than what is on
record changes nothing.
"""

from .changes import SessionBeat, SessionEnded
from .ledger import Ledger
from .model import Event
from .quick import changed
from .sessions import Session

_TASKS_NAMED = 20


def beat(ledger: Ledger, change: SessionBeat) -> None:
    """A lease was renewed. One that was ended stays so, unless the session says that it is open
    again: a heartbeat may have been on its way when the end came."""
    known = ledger.session(change.supervisor, change.session_id)
    session = known or Session(session_id=change.session_id, supervisor=change.supervisor)
    first = session.first_beat_at is None
    if session.ended_at is not None and session.reopened_at is None:
        if not change.reopen or change.at <= session.ended_at:
            return
        session = changed(session, reopened_at=change.at, first_beat_at=None)
        first = True
    ledger.put_session(
        changed(
            session,
            first_beat_at=session.first_beat_at or change.at,
            last_beat_at=max(session.last_beat_at or "", change.at),
            beats=session.beats + change.times,
            lease_s=change.lease_s,
        )
    )
    if first:
        detail: dict[str, object] = _named(session)
        if change.lease_s is not None:
            detail["lease_s"] = change.lease_s
        if session.reopened_at is not None:
            detail["reopened"] = True
        ledger.add_event(Event(at=change.at, kind="session_beat", detail=detail))


def ended(ledger: Ledger, change: SessionEnded) -> None:
    """Said again, it is also about what was started since; by whom and why stays as it was."""
    known = ledger.session(change.supervisor, change.session_id)
    session = known or Session(session_id=change.session_id, supervisor=change.supervisor)
    again = session.ended
    if max(session.ended_at or "", session.reopened_at or "") >= change.at:
        return
    ledger.put_session(
        changed(
            session,
            ended_at=change.at,
            ended_by=session.ended_by if again and not change.tasks else change.by,
            reason=session.reason if again and not change.tasks else change.reason,
            reopened_at=None,
        )
    )
    if not again or change.tasks:
        detail = {**_named(session), "by": change.by.value}
        if change.reason:
            detail["reason"] = change.reason
        tasks = {"tasks": list(change.tasks[:_TASKS_NAMED]), "count": len(change.tasks)}
        ledger.add_event(Event(at=change.at, kind="session_ended", detail={**detail, **tasks}))


def _named(session: Session) -> dict[str, object]:
    return {"session": session.session_id, "supervisor": session.supervisor}
