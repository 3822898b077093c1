"""Follows every live task to its end, whether or not anybody asks after it.

`fleet` is what the rest of the sidecar sees; `upstream` watches one server. `searching` asks it
about many tasks at once, `reading` finds out what became of one, both by way of `asking`; `health`
knows whether the server answers at all. What to ask when is decided in `core.watch`.
"""

from .fleet import Watcher

__all__ = ["Watcher"]
