"""As whom the sidecar comes to its upstreams: credentials from variables and files."""

from collections.abc import Mapping, Sequence
from functools import partial

from ..config import Settings
from ..own_fields import OwnFields
from ..renewals import renew_credentials
from ..secret_files import open_to_all
from .renewing import Renewing


def own_fields(settings: Settings) -> dict[str, OwnFields]:
    """What each upstream is shown of ours, by its name."""
    return {u.name: OwnFields(u.headers, u.renewable) for u in settings.upstreams}


async def renewed(own: Mapping[str, OwnFields], renewing: Renewing) -> None:
    """Credentials in files are read again when those change or when it is asked."""
    files = [file for each in own.values() for file in each.files]
    if files:
        keeper = renewing.keep(files, partial(renew_credentials, own), name="credentials")
        await keeper.renew(why="start")  # the settings may have been read a while ago


def open_secrets(settings: Settings) -> Sequence[str]:
    """The files of secrets that every user of this machine may read."""
    files = {file for own in own_fields(settings).values() for file in own.files}
    files |= {token.file for token in settings.admin_tokens if token.file is not None}
    files |= {each.secret_file for each in settings.push if each.secret_file is not None}
    return [str(file) for file in sorted(files) if open_to_all(file)]
