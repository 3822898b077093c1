"""Who a push is from: a signature that its receiver can check, and nobody else can make.

The time is signed with the body, so that what was overheard cannot be sent once more a day later.
Each secret makes a signature of its own: while secrets are changed a receiver finds one it knows.
"""

import hashlib
import hmac
from collections.abc import Sequence

HEADER = "x-sidecar-signature"
SHORTEST = 16
"""Bytes of a secret. Shorter ones can be guessed by whoever has seen one push."""


def signature(secrets: Sequence[bytes], at: int, body: bytes) -> str:
    """The value of the header, for a body that is sent at `at` (Unix time)."""
    signed = b"%d.%b" % (at, body)
    each = [hmac.new(secret, signed, hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={at}", *(f"v1={one}" for one in each)])


def secrets_in(text: str) -> tuple[bytes, ...]:
    """The secrets in a file or a variable, separated by white space. Raises ValueError."""
    found = tuple(word.encode() for word in text.split())
    if not found:
        raise ValueError("has no secret in it")
    if any(len(secret) < SHORTEST for secret in found):
        raise ValueError(f"has a secret of fewer than {SHORTEST} bytes in it")
    return found
