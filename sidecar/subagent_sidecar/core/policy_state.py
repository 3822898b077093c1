"""What is in force, and how the attempts to replace it went."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from .model import Timestamp
from .policy import Mode, Policy
from .policy_words import document

_VERSION_LENGTH = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedReload:
    """`problems` are one sentence each, with file, line and key where there is one."""

    at: Timestamp
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyState:
    """The policy in force, and where it comes from.

    `names` are the policies as they were asked for, `files` where they were found. `words` says the
    policy in its own language, `origins` of each rule which file it stands in. `version` is equal
    for policies that say the same. `reloads` and `failures` count since the start; `failed` is the
    last reload if it failed.
    """

    policy: Policy
    names: tuple[str, ...]
    files: tuple[str, ...]
    words: Mapping[str, Any]
    origins: Mapping[str, str]
    version: str
    loaded_at: Timestamp
    reloads: int = 0
    failures: int = 0
    failed: FailedReload | None = None

    def __str__(self) -> str:
        return f"{in_a_sentence(self.policy, self.names)}, version {self.version}"


def state(
    policy: Policy, *, names: Sequence[str], files: Sequence[str], at: Timestamp
) -> PolicyState:
    """That of a policy that has just been loaded."""
    words, origins = document(policy), {rule.name: rule.policy for rule in policy.rules}
    return PolicyState(
        policy=policy,
        names=tuple(names),
        files=tuple(files),
        words=words,
        origins=origins,
        version=_version(words, origins),
        loaded_at=at,
    )


def _version(*said: Mapping[str, Any]) -> str:
    return sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:_VERSION_LENGTH]


def in_a_sentence(policy: Policy, names: Sequence[str]) -> str:
    """`10 rules of default (9 enforced, 1 only observed)`."""
    rules = list(policy.rules)
    if not names:
        return "no rules, as was asked for"
    count = f"{len(rules)} rule{'' if len(rules) == 1 else 's'} of {' and '.join(names)}"
    observed = sum(rule.mode is Mode.OBSERVE for rule in rules)
    match observed:
        case _ if not rules:
            return count
        case 0:
            return f"{count} (enforced)"
        case _ if observed == len(rules):
            return f"{count} (only observed)"
        case _:
            return f"{count} ({len(rules) - observed} enforced, {observed} only observed)"
