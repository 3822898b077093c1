"""Refusals on their way into the record, equal ones as one."""

import asyncio

from ..core.folding import Folds
from ..core.refusal import Refused
from ..recorder import Recorder

_ROUND_S = 5.0
"""How long refusals that are alike are counted before they go on record together."""


class Refusals:
    """Refusing costs no write: the record of a refusal is entered behind the answer."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._folds = Folds()
        self._round: asyncio.TimerHandle | None = None

    def tell(self, refused: Refused) -> None:
        """On record at once, unless its like was there just now: then a little later, counted."""
        if refused.record is not None and (first := self._folds.refused(refused.record)):
            self._recorder.post(first)
        if self._round is None:
            self._round = asyncio.get_running_loop().call_later(_ROUND_S, self._round_over)

    def _round_over(self) -> None:
        for repeats in self._folds.round_over():
            self._recorder.post(repeats)
        self._round = None
        if self._folds:
            self._round = asyncio.get_running_loop().call_later(_ROUND_S, self._round_over)

    def hand_in(self) -> None:
        """Enter what was counted so far."""
        for repeats in self._folds.pending():
            self._recorder.post(repeats)
