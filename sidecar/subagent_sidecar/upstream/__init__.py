"""How requests reach an agent server: a lean HTTP/1.1 client that forwards and changes nothing.

Every byte a supervisor exchanges with a server goes through here, so this package trades breadth
for cost: no redirects, cookies, decompression, proxies or HTTP/2. Reading order: `sending` (bytes
of requests), `reading` (answers from bytes, no IO), `answers` (what `send` returns), `connection`
(one socket), `breaker`, `pool`.
"""

from .breaker import BreakerState
from .pool import HttpUpstream

__all__ = ["BreakerState", "HttpUpstream"]
