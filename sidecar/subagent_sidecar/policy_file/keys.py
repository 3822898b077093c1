"""Every key of a policy file, by where it may stand. The reader and the JSON schema both walk these
tables, so that neither knows a key the other does not."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..core.matching import Scope
from ..core.policy import Mode, OnEnd, OnExhausted, OnStoreError, Then
from . import kinds
from .kinds import Kind


@dataclass(frozen=True, slots=True)
class Key:
    """`about` is one sentence for whoever writes the file."""

    kind: Kind
    about: str


Keys = Mapping[str, Key]

MATCH: Keys = {
    "agent": Key(kinds.GLOBS, "The subagent's name: one glob, or a list of which one must fit."),
    "upstream": Key(kinds.GLOBS, "The name of the agent server."),
    "supervisor": Key(kinds.GLOBS, "Who is calling."),
    "session": Key(kinds.GLOBS, "What started the task."),
    "depth": Key(kinds.DEPTH_TEST, "How far down: 0 is a task started by a plain session."),
}

_RULE: Keys = {
    "name": Key(kinds.NAME, "Unique over all policy files that are loaded together."),
    "mode": Key(kinds.words(Mode), "Of this rule, instead of the file's."),
}

LIMIT_KINDS: Keys = {
    "concurrent": Key(kinds.COUNT, "At most so many live at a time."),
    "starts": Key(kinds.COUNT, "At most so many started: ever, or within the last `window`."),
    "duplicates": Key(
        kinds.COUNT,
        "At most so many started with the same agent and the same instruction: ever, or within "
        "the last `window`.",
    ),
    "depth": Key(kinds.DEPTH, "Nothing starts deeper than this."),
    "deny": Key(kinds.TRUE, "Nothing that matches starts at all."),
}

LIMIT: Keys = {
    **_RULE,
    **LIMIT_KINDS,
    "per": Key(kinds.words(Scope), "Within what is counted; `task` counts the runs of one task."),
    "window": Key(kinds.SOME_SPAN, "Count the last so much only."),
    "message": Key(kinds.MESSAGE, "What else the refused model is told."),
}

AMOUNTS: Keys = {
    "usd": Key(kinds.USD, "USD, with at most six decimals."),
    "tokens": Key(kinds.COUNT, "Tokens, input and output together."),
    "run_time": Key(kinds.SOME_SPAN, "The time runs were at work, added up."),
    "runs": Key(kinds.COUNT, "Runs: first ones and follow-ups."),
}

RESERVE: Keys = {key: AMOUNTS[key] for key in ("usd", "tokens", "run_time")}

BUDGET: Keys = {
    **_RULE,
    **AMOUNTS,
    "per": Key(kinds.words(Scope), "Within what is added up."),
    "window": Key(kinds.SOME_SPAN, "Add up the last so much only."),
    "soft_at": Key(kinds.SHARE, "The share from which the budget counts as nearly spent."),
    "on_exhausted": Key(
        kinds.words(OnExhausted), "`deny_new`: nothing starts. `cancel`: what runs ends, too."
    ),
    "on_unpriced": Key(
        kinds.UNPRICED,
        "What a run counts whose model has no price: `assume:0.50`, nothing (`ignore`), or nothing "
        "more starts (`deny_new`).",
    ),
    "message": Key(kinds.MESSAGE, "What else the refused model is told."),
}

LIFECYCLE_SETTINGS: Keys = {
    "queue": Key(kinds.SPAN, "How long a run may be pending."),
    "run": Key(kinds.SPAN, "How long one run may take."),
    "total": Key(kinds.SPAN, "How long the whole task may take, from its first start."),
    "stall": Key(kinds.SPAN, "How long a run may show no change."),
    "waiting": Key(kinds.SPAN, "How long a task may wait for a human."),
    "on_parent_close": Key(kinds.words(OnEnd), "When the task that started it has ended."),
    "on_session_end": Key(kinds.words(OnEnd), "When the session that started it has ended."),
    "heartbeat": Key(kinds.SOME_SPAN, "How often sessions renew their lease."),
    "lease": Key(kinds.SPAN, "How long a session counts as alive without renewing."),
    "grace": Key(kinds.SPAN, "How much longer its tasks live after that, and newcomers anyway."),
    "idle": Key(kinds.SPAN, "Silence of the session after which its tasks end."),
    "verify_for": Key(kinds.SOME_SPAN, "How long a cancelled run may take to end."),
    "then": Key(kinds.words(Then), "What follows a cancel that did not come true."),
}

LIFECYCLE: Keys = {**_RULE, **LIFECYCLE_SETTINGS}

POLLING: Keys = {
    "coalesce": Key(kinds.SPAN, "Identical reads of a run within this time share one answer."),
}

PRICE: Keys = {
    "input_per_mtok": Key(kinds.PER_MTOK, "USD for a million input tokens."),
    "output_per_mtok": Key(kinds.PER_MTOK, "USD for a million output tokens."),
    "cache_read_per_mtok": Key(kinds.PER_MTOK, "Of input that came from a cache."),
    "cache_write_per_mtok": Key(kinds.PER_MTOK, "Of input that was put into one."),
}
PRICE_REQUIRED = ("input_per_mtok", "output_per_mtok")

TOP: Keys = {
    "version": Key(kinds.VERSION, "Of the language."),
    "mode": Key(kinds.words(Mode), "Of the rules in this file that do not say their own."),
    "on_store_error": Key(
        kinds.words(OnStoreError), "What becomes of starts while the store cannot be asked."
    ),
}

SECTIONS: Mapping[str, str] = {
    "limits": "What may start. Every rule that matches is asked.",
    "budgets": "What may be spent. Every rule that matches is asked.",
    "lifecycle": "When tasks end. For each key the last rule that matches wins.",
    "polling": "How often servers are asked.",
    "prices": "Own prices by model, before the published ones.",
}

RULES: Mapping[str, Keys] = {"limits": LIMIT, "budgets": BUDGET, "lifecycle": LIFECYCLE}
MOST_RULES = 500
"""Of each kind in a file: every start asks every rule."""

NESTED: Mapping[str, tuple[str, ...]] = {
    "limits": ("match",),
    "budgets": ("match", "reserve"),
    "lifecycle": ("match",),
}
"""Keys of a rule whose value is a mapping of its own."""
