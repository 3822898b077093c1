"""As whom the sidecar comes to its upstreams: credentials from variables and files."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack

from ..config import Settings
from ..own_fields import OwnFields
from ..own_fields_keeper import OwnFieldsKeeper
from ..secret_files import open_to_all
from .lifetimes import spawned


def own_fields(settings: Settings) -> dict[str, OwnFields]:
    """What each upstream is shown of ours, by its name."""
    return {u.name: OwnFields(u.headers, u.renewable) for u in settings.upstreams}


async def renewed(
    stack: AsyncExitStack, own: Mapping[str, OwnFields], renewal_asked: asyncio.Event | None
) -> None:
    """Credentials in files are read again when those change or when it is asked, until the stack
    is left."""
    if not any(each.files for each in own.values()):
        return
    keeper = OwnFieldsKeeper(own)
    await keeper.renew(why="start")  # the settings may have been read a while ago
    spawned(stack, keeper.watch(), name="watch credentials")
    if renewal_asked is not None:
        spawned(stack, keeper.heed(renewal_asked), name="renew credentials when asked")


def open_secrets(settings: Settings) -> Sequence[str]:
    """The files of secrets that every user of this machine may read."""
    files = {file for own in own_fields(settings).values() for file in own.files}
    files |= {token.file for token in settings.admin_tokens if token.file is not None}
    files |= {each.secret_file for each in settings.push if each.secret_file is not None}
    return [str(file) for file in sorted(files) if open_to_all(file)]
