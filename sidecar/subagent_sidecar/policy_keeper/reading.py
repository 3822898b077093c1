"""From policy files to what is in force."""

from collections.abc import Callable, Sequence
from pathlib import Path

from ..core.model import Timestamp
from ..core.policy import Policy
from ..core.policy_state import PolicyState, state
from ..file_looks import Look, look

Load = Callable[[Sequence[Path]], Policy]
"""The policies in files as one. Raises ConfigError with every problem."""


class PolicyFiles:
    """The files that were asked for, in order. `names` are what they were asked for by."""

    def __init__(self, names: Sequence[str], paths: Sequence[Path], load: Load) -> None:
        self._names = names
        self._paths = paths
        self._load = load

    def look(self) -> Look:
        """What can be seen of them from outside."""
        return look(self._paths)

    def read(self, at: Timestamp) -> PolicyState:
        """What they come to. Raises ConfigError with every problem. It takes its time: YAML."""
        files = [str(path.absolute()) for path in self._paths]
        return state(self._load(self._paths), names=self._names, files=files, at=at)
