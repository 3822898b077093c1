"""The newcomer's first minute: real parts, a scripted conversation, and what the sidecar saw.

Needs the `demo` extra; nothing heavy is imported in this process, the parts run in their own.
"""

from .story import play

__all__ = ["play"]
