"""Reads what tasks used from the messages of their threads, and enters it with its price.

After the end of every run, and every so often while one is going on, since a long run should not
cost unseen. At most `rate` requests a second go to one server, one at a time, and fewer when those
who ask what becomes of tasks have more to ask; then each task is read less often. A server that
does not answer is left alone for longer and longer, and what is still to be read waits.

`reader` is what others know; `lane` reads from one server, `news` finds what is worth entering.
"""

from .reader import UsageReader

__all__ = ["UsageReader"]
