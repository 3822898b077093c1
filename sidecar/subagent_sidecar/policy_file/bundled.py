"""The policies that come with the sidecar, by name."""

from pathlib import Path

from ..core.policy_names import BUNDLED

_PACKAGE = Path(__file__).parent.parent
# A wheel carries them; an editable installation sees the checkout instead.
_FOLDERS = (_PACKAGE / "_bundled" / "policies", _PACKAGE.parent.parent / "policies")


def folder() -> Path:
    """Where the bundled policies and their JSON schema are."""
    return next((each for each in _FOLDERS if each.is_dir()), _FOLDERS[0])


def find(name: str) -> Path:
    """The file that is meant: a bundled policy by its bare name, else a path."""
    return folder() / f"{name}.yaml" if name in BUNDLED else Path(name)
