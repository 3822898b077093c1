"""Where a push may connect to: decided by the address that is connected to, not by a name.

A name is anybody's to point wherever they like, and to point elsewhere a moment later. So a name on
the list vouches for addresses of the public internet only. Loopback, link-local (where clouds keep
their credentials) and private ranges have to be on the list themselves, as addresses.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from re import compile as pattern
from typing import Any

from ..matching import Glob

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_HOST = pattern(r"[a-z0-9*?_-]+(\.[a-z0-9*?_-]+)*")
_NAT64 = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class AllowList:
    """`push_allow`: hosts by name, and ranges of addresses. Empty, it allows nothing."""

    hosts: tuple[Glob, ...] = ()
    networks: tuple[Network, ...] = ()

    def allows(self, host: str, address: str) -> bool:
        """Whether `host` may be connected to at `address`, which it has resolved to, or is."""
        try:
            found = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        inner = list(_embedded(found))
        if any(each in network for network in self.networks for each in (found, *inner)):
            return True
        return self.names(host) and all(_is_public(each) for each in (inner or [found]))

    def names(self, host: str) -> bool:
        """Whether a name on the list fits."""
        return any(glob.fits(host.lower().rstrip(".")) for glob in self.hosts)

    def may_allow(self, host: str) -> bool:
        """Whether there is any address at which `host` could be allowed: else its configuration is
        a mistake."""
        if is_literal(host):
            return self.allows(host, host)
        return self.names(host) or bool(self.networks)


def is_literal(host: str) -> bool:
    """Whether it is an address, or close enough to one (`127.1`, `2130706433`) that a client may
    take it for one and ask no resolver."""
    return ":" in host or host.replace(".", "").isdigit()


def _embedded(address: Address) -> Iterator[Address]:
    """The IPv4 address that packets to `address` end up at, where it is a way of writing one."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            yield address.ipv4_mapped
        if address.sixtofour is not None:
            yield address.sixtofour
        if address in _NAT64:
            yield IPv4Address(int(address) & 0xFFFF_FFFF)


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address.is_site_local:
        return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified
    )


def allow_list(given: Any) -> AllowList:
    """Raises ValueError with what is wrong."""
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise ValueError("must be a list of host names (with `*` and `?`) and ranges (10.0.0.0/8)")
    hosts: list[Glob] = []
    networks: list[Network] = []
    for each in given:
        network = _network(each)
        if network is not None:
            networks.append(network)
        elif _HOST.fullmatch(each.lower()):
            hosts.append(Glob(each.lower()))
        else:
            raise ValueError(f"{each!r} is neither a host name, without a port, nor a range")
    return AllowList(tuple(hosts), tuple(networks))


def _network(text: str) -> Network | None:
    try:
        return ip_network(text)
    except ValueError:
        if "://" in text:
            raise ValueError(f"{text!r} is a URL; only its host name belongs here") from None
        if "/" in text or ":" in text:
            raise ValueError(f"{text!r} is not a range such as 10.0.0.0/8 or fd00::/8") from None
        return None
