"""One refusal of each kind, decided as in earnest."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from tests.support.counting import Counted

from subagent_sidecar.core.decide import decide
from subagent_sidecar.core.key_words import beyond_key
from subagent_sidecar.core.matching import Call, Scope
from subagent_sidecar.core.model import timestamp
from subagent_sidecar.core.policy import Policy
from subagent_sidecar.core.refusal import Refused
from subagent_sidecar.core.verdict import Deny, Freeze
from subagent_sidecar.policy_file import parse
from subagent_sidecar.yaml_file import Document

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
CALL = Call(agent="coder", upstream="up", supervisor="ann", session="s", fingerprint="f")
NESTED = replace(CALL, session="t1", depth=1, tree_id="t1")

RULES = {
    "limit_concurrent": "limits: [{name: a, concurrent: 1, per: session}]",
    "limit_starts": "limits: [{name: a, starts: 1, per: agent, window: 1m}]",
    "limit_duplicates": "limits: [{name: a, duplicates: 1, per: supervisor}]",
    "limit_depth": "limits: [{name: a, depth: 0}]",
    "denied": "limits: [{name: a, match: {agent: coder}, deny: true, message: Code it yourself.}]",
    "budget_usd": "budgets: [{name: a, usd: 5, per: tree}]",
    "budget_tokens": "budgets: [{name: a, tokens: 5_000, per: global}]",
    "budget_run_time": "budgets: [{name: a, run_time: 10s, per: upstream}]",
    "budget_runs": "budgets: [{name: a, runs: 1, per: session, window: 1d}]",
    "budget_unpriced": "budgets: [{name: a, usd: 5, per: session}]",
}
"""A policy that refuses `NESTED` after `_run`, by the code it is refused with."""


def refused(code: str) -> Refused:
    """The refusal of that code."""
    if code == "frozen":
        freeze = Freeze(scope=Scope.AGENT, scope_id="coder", reason="a fire")
        return _refused(Policy(), Counted(freeze=freeze))
    if code == "key_agents":
        beyond = beyond_key(["writer"], NESTED, None)
        assert beyond is not None
        return Refused(beyond)
    return _refused(policy(RULES[code]), _run(unpriced=code == "budget_unpriced"))


def _refused(policy: Policy, numbers: Counted) -> Refused:
    verdict = decide(policy, numbers, NESTED, NOW)
    assert isinstance(verdict, Deny)
    return Refused(verdict)


def policy(text: str) -> Policy:
    return parse([Document(Path("p.yaml"), yaml.safe_load(f"version: 1\n{text}"), {})])


def _run(*, unpriced: bool) -> Counted:
    """One run, ten seconds ago."""
    numbers = Counted()
    started = numbers.start("t2", NESTED, timestamp(NOW - timedelta(seconds=10)))
    started.micro_usd = None if unpriced else 5_020_001
    started.tokens, started.run_time = 6_000, 12_500_000
    return numbers


EVERY_CODE = (*RULES, "frozen", "key_agents")
