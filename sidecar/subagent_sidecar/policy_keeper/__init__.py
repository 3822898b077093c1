"""Keeps the policy that is in force: reads its files again when asked, and when they change.

A reload is a transaction. The files are read, parsed and checked aside, in a worker thread; what
is in force is then replaced by one assignment. If anything at all is wrong with them, nothing is
replaced, and whoever asked is told everything that is wrong.
"""

from ..file_looks import Look
from .keeper import PolicyKeeper
from .reading import PolicyFiles

__all__ = ["Look", "PolicyFiles", "PolicyKeeper"]
