"""What settings leave open to others: allowed, and told before anybody is served."""

from collections.abc import Iterator
from typing import NamedTuple

from ..config import Settings
from ..config_values import is_loopback
from .identities import open_secrets


class Risk(NamedTuple):
    """`action` is what a line of the log goes by."""

    action: str
    text: str


def risks(settings: Settings) -> Iterator[Risk]:
    """All there are."""
    yield from _in_the_clear(settings)
    yield from _unverified(settings)
    for file in open_secrets(settings):
        text = f"every user of this machine may read the secret in {file}: chmod o= it"
        yield Risk("credential_open_to_all", text)
    if settings.auth and not settings.admin_tokens:
        yield Risk(
            "keys_for_everybody",
            "supervisors need keys, and whoever is on this machine can make some: the admin plane "
            "has no token; set SUBAGENT_SIDECAR_ADMIN_TOKEN, or admin_tokens",
        )


def _in_the_clear(settings: Settings) -> Iterator[Risk]:
    """What crosses a network for everybody on it to see."""
    if settings.auth and settings.tls is None and not is_loopback(settings.listen):
        yield Risk(
            "keys_in_clear",
            f"keys come in at {settings.listen.host} without TLS: whoever sees the network sees "
            "them; set tls_cert and tls_key, or put a proxy with TLS in front",
        )
    if settings.admin_tls is None and not is_loopback(settings.admin_listen):
        yield Risk(
            "admin_in_the_clear",
            "tokens and records of the admin plane cross the network unencrypted "
            f"({settings.admin_listen.url}): set tls_cert",
        )


def _unverified(settings: Settings) -> Iterator[Risk]:
    """The upstreams that could be anybody, since the operator turned their check off."""
    for each in settings.upstreams:
        if not each.tls_files.verify:
            yield Risk(
                "upstream_not_verified",
                f"the certificate of upstream {each.name} ({each.url}) is not verified "
                "(tls_verify: false)",
            )
