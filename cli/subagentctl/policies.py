"""Policy files on this machine. Imported when one is read: YAML takes its time to load."""

from collections.abc import Sequence
from dataclasses import dataclass

from subagent_sidecar import policy_file
from subagent_sidecar.core.policy import Policy
from subagent_sidecar.core.policy_words import document
from subagent_sidecar.errors import ConfigError
from subagentctl.client import JsonObject
from subagentctl.errors import Invalid


@dataclass(frozen=True, slots=True)
class Loaded:
    """Several files as one policy. `document` says it in the words of the language, `origins` of
    each rule which policy it belongs to: a file's name without its ending."""

    files: tuple[str, ...]
    document: JsonObject
    origins: dict[str, str]
    policy: Policy


def load(names: Sequence[str]) -> Loaded:
    """The policies in files, or bundled ones by name. Raises Invalid with every problem."""
    paths = [policy_file.find(name) for name in names]
    try:
        policy = policy_file.load(paths)
    except ConfigError as error:
        raise Invalid(error.problems) from error
    return Loaded(
        files=tuple(str(path) for path in paths),
        document=document(policy),
        origins={rule.name: rule.policy for rule in policy.rules},
        policy=policy,
    )
