"""Sees cancels through to their true end, whoever asked: the one implementation for every path.

`runs.py` pursues single runs, `tasks.py` ends whole tasks on top of it; `second_looks.py` sees that
what ended has stayed so.
"""

from .runs import RunCanceller
from .tasks import TaskCanceller

__all__ = ["RunCanceller", "TaskCanceller"]
