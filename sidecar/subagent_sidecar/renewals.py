"""What is done when files of certificates, credentials or tokens are read again, and what the log
says of it. What cannot be used changes nothing."""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from .admin_tokens import AdminTokens
from .own_fields import OwnFields
from .tls import BadFile, Renewable

_log = logging.getLogger(__name__)


async def renew_certificates(kept: Sequence[Renewable], why: str) -> None:
    """`kept` are the listeners' contexts. Connections go on being taken with the certificate there
    was, where the new one cannot be used."""
    renewed, mistakes = set(), set()  # both listeners may show the same
    for each in kept:
        try:
            await asyncio.to_thread(each.renew)
            renewed.add(each.files.cert)
        except BadFile as error:
            mistakes.add(str(error))
    for mistake in sorted(mistakes):
        extra = {"action": "certificate_not_renewed"}
        _log.error("certificate not renewed (%s): %s", why, mistake, extra=extra)
    for cert in sorted(renewed):
        extra = {"action": "certificate_renewed"}
        _log.info("certificate read again (%s): %s", why, cert, extra=extra)


async def renew_credentials(kept: Mapping[str, OwnFields], why: str) -> None:
    """`kept` by the upstream's name. Requests go on with the credentials there were, where the new
    ones cannot be used."""
    for upstream, own in kept.items():
        changed, problems = await asyncio.to_thread(own.renew)
        for problem in problems:
            _log.error(
                "credential for upstream %s not renewed, the one before stays in use (%s): %s",
                upstream,
                why,
                problem,
                extra={"action": "credential_not_renewed"},
            )
        for name in changed:
            extra = {"action": "credential_renewed"}
            _log.info(
                "credential for upstream %s renewed (%s): %s", upstream, why, name, extra=extra
            )


async def renew_admin_tokens(tokens: AdminTokens, why: str) -> None:
    """One whose file was removed lets nobody in any more."""
    done = await asyncio.to_thread(tokens.renew)
    for problem in done.problems:
        extra = {"action": "admin_token_not_renewed"}
        _log.error("admin token not renewed (%s): %s", why, problem, extra=extra)
    for name in done.changed:
        extra = {"action": "admin_token_renewed"}
        _log.info("admin token renewed (%s): %s", why, name, extra=extra)
    for name in done.gone:
        extra = {"action": "admin_token_gone"}
        _log.warning(
            "admin token '%s' lets nobody in any more (%s): its file is gone",
            name,
            why,
            extra=extra,
        )
