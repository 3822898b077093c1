"""Removes the threads that starts leave behind which came to nothing."""

from .leftovers import Leftovers
from .tidier import Tidier

__all__ = ["Leftovers", "Tidier"]
