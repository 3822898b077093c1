"""Completion push: tells ends of tasks to whoever wants them, by signed webhooks.

`Notifier` follows the record and puts down what is to be told; a `Sender` for each target takes it
from the store and posts it; a `Poster` is the socket.
"""

from .guarded import GuardedResolver
from .notifier import Notifier
from .posting import Answer, HttpPoster, Poster
from .secrets import Secrets
from .sender import Numbers, Sender

__all__ = [
    "Answer",
    "GuardedResolver",
    "HttpPoster",
    "Notifier",
    "Numbers",
    "Poster",
    "Secrets",
    "Sender",
]
