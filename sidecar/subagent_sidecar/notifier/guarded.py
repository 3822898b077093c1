"""A resolver that gives away only addresses that may be connected to.

aiohttp connects to what its resolver returns and asks nobody again, so what was checked is what is
connected to, whatever the name points to a moment later.
"""

import socket

from aiohttp.abc import AbstractResolver, ResolveResult

from ..core.push.addresses import AllowList


class NotAllowed(OSError):
    """There is no address at which the host may be connected to."""


class GuardedResolver(AbstractResolver):
    """`names` does the work."""

    def __init__(self, names: AbstractResolver, allow: AllowList) -> None:
        self._names = names
        self._allow = allow

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._names.resolve(host, port, family)
        allowed = [each for each in found if self._allow.allows(host, each["host"])]
        if not allowed:
            raise NotAllowed("it resolves to no address that `push_allow` names")
        return allowed

    def check_literal(self, host: str) -> None:
        """aiohttp asks no resolver about what is an address already. Raises NotAllowed."""
        if not self._allow.may_allow(host):
            raise NotAllowed("`push_allow` does not name it")

    async def close(self) -> None:
        await self._names.close()
