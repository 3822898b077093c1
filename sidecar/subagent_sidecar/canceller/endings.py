"""What is entered and told after a turn of a pursuit."""

import logging

from ..core import cancel
from ..core.cancel import Ask, Confirmed, GiveUp, Look, Lost, Outcome, Sight, Step, TooLate, Try
from ..ports import Headers
from ..service import Service
from .pursuit import Pursuit
from .second_looks import SecondLooks

_log = logging.getLogger(__name__)

_SOON_S = 0.05


class Endings:
    def __init__(self, service: Service, second_looks: SecondLooks) -> None:
        self._service = service
        self._second_looks = second_looks

    def conclude(
        self, pursuit: Pursuit, sight: Sight, step: Step, *, auth: Headers
    ) -> float | None:
        """Seconds until the next turn, None when it is over. `auth` is what was presented."""
        match step:
            case Ask():
                return _SOON_S if pursuit.accepted else 0.0
            case Look():
                pursuit.looks += 1
                pursuit.begun.set()
                return step.after_s
            case GiveUp():
                self._give_up(pursuit, sight, step.retry_in_s)
                return step.retry_in_s
            case Confirmed():
                self._confirm(pursuit, gone=step.gone, auth=auth)
            case TooLate():
                # Of a run that is cancelled on record this is how it is over indeed.
                self._service.cancels.confirmed(pursuit.thread_id, pursuit.run_id)
                pursuit.settle(Outcome.ALREADY, "it ended before the cancel could end it")
            case Lost():
                # What is live on record is the watcher's to end, once it is sure.
                self._service.cancels.confirmed(pursuit.thread_id, pursuit.run_id, lost=True)
                pursuit.settle(
                    Outcome.LOST, "the server has neither the run nor its thread any more"
                )
        return None

    def _confirm(self, pursuit: Pursuit, *, gone: bool, auth: Headers) -> None:
        detail = "the server confirms that it is over"
        if gone:
            detail = "the server does not have the run any more"
            if Try.ROLLBACK in pursuit.tried:
                detail = "the run was rolled back"
            self._service.seen.run_gone(
                pursuit.upstream, pursuit.thread_id, pursuit.run_id, by=pursuit.by, reason=detail
            )
        self._service.cancels.confirmed(pursuit.thread_id, pursuit.run_id)
        pursuit.settle(Outcome.CANCELLED, detail)
        self._second_looks.look_later(*pursuit.key, by=pursuit.by, auth=auth)

    def _give_up(self, pursuit: Pursuit, sight: Sight, retry_in_s: float) -> None:
        found = cancel.disobeyed(sight, pursuit.tried)
        pursuit.settle(Outcome.UNCONFIRMED, f"{found}; it is tried again in {retry_in_s:g} s")
        self._service.cancels.unconfirmed(pursuit.thread_id, pursuit.run_id, pursuit.tried)
        if pursuit.rounds == 0:
            _log.warning(
                "a cancel is not obeyed: %s (task %s, run %s); it is tried on",
                found,
                pursuit.thread_id,
                pursuit.run_id,
                extra={"action": "cancel_unconfirmed", "task_id": pursuit.thread_id},
            )
        pursuit.rounds += 1
