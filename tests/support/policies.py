"""Policy files that are good, and ones that are wrong in one way each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from subagent_sidecar.core.policy import Policy
from subagent_sidecar.errors import ConfigError
from subagent_sidecar.policy_file import NAMES, find, load


def loaded(folder: Path, *texts: str) -> Policy:
    """The policy of files p.yaml, p1.yaml, ... with these texts."""
    return load(written(folder, *texts))


def problems(folder: Path, *texts: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as error:
        loaded(folder, *texts)
    return error.value.problems


def written(folder: Path, *texts: str) -> list[Path]:
    paths = [folder / f"p{number or ''}.yaml" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text, encoding="utf-8")
    return paths


EVERYTHING = """\
version: 1
mode: observe
limits:
  - name: a
    match: {agent: [a, "b*"], upstream: u, supervisor: "?", session: "default:*", depth: "<= 3"}
    concurrent: 5
    per: task
    mode: enforce
    message: No.
  - {name: b, starts: 5, per: session, window: 1.5h}
  - {name: c, duplicates: 1, per: tree}
  - {name: d, depth: 0}
  - {name: e, deny: true, match: {depth: 4}}
budgets:
  - name: f
    match: {depth: 0}
    usd: "5.25"
    tokens: 2_000_000
    run_time: 2h
    runs: 10
    per: global
    window: 1w
    soft_at: 0.5
    reserve: {usd: 0.1, tokens: 1000, run_time: 1m}
    on_exhausted: cancel
    on_unpriced: assume:0.50
    mode: enforce
    message: No.
lifecycle:
  - name: g
    match: {agent: a}
    mode: enforce
    queue: 0
    run: "0"
    total: 0.5h
    stall: 250ms
    waiting: 2d
    on_parent_close: abandon
    on_session_end: terminate
    heartbeat: 1s
    lease: 1m
    grace: 0
    idle: 1h
    verify_for: 1s
    then: keep_asking
polling: {coalesce: 0}
on_store_error: fail_open
prices:
  m: {input_per_mtok: 0, output_per_mtok: "1.5", cache_read_per_mtok: 1, cache_write_per_mtok: 1}
"""

GOOD = [
    EVERYTHING,
    "version: 1\n",
    "version: 1.0\n",
    "version: 1\nlimits:\nbudgets:\nlifecycle:\nprices:\n",
    "version: 1\nlimits: []\nprices: {}\n",
    "version: 1\nlimits:\n  - {name: a, concurrent: 5.0, per: session}\n",
    "version: 1\nlimits:\n  - {name: a, depth: 1000}\n",
    "version: 1\nbudgets:\n  - {name: a, usd: 0.000001, per: session}\n",
    "version: 1\nbudgets:\n  - {name: a, usd: 1000000, per: session}\n",
    "version: 1\nbudgets:\n  - {name: a, usd: 5, per: task, on_unpriced: ignore}\n",
    "version: 1\nbudgets:\n  - {name: a, usd: 5, per: task, reserve: {usd: 5}, window: 3650d}\n",
    *(find(name).read_text("utf-8") for name in NAMES),
]


@dataclass(frozen=True, slots=True)
class Bad:
    """A file; how its one problem begins, behind the file's name; whether the schema sees it."""

    text: str
    problem: str
    schema_sees: bool = True


def top(line: str, problem: str, *, schema: bool = True) -> Bad:
    return Bad(f"version: 1\n{line}\n", f":2: {problem}", schema)


def _rule(section: str, rule: str, problem: str, schema: bool) -> Bad:
    at = f"{section}[0]" if problem.startswith(":") else f"{section}[0]."
    return Bad(f"version: 1\n{section}:\n  - {{{rule}}}\n", f":3: {at}{problem}", schema)


def limit(rule: str, problem: str, *, schema: bool = True) -> Bad:
    return _rule("limits", rule, problem, schema)


def budget(rule: str, problem: str, *, schema: bool = True) -> Bad:
    return _rule("budgets", rule, problem, schema)


def clock(rule: str, problem: str, *, schema: bool = True) -> Bad:
    return _rule("lifecycle", rule, problem, schema)


def two(section: str, first: str, second: str, problem: str) -> Bad:
    """Two rules, in lines 3 and 4. No schema compares rules."""
    text = f"version: 1\n{section}:\n  - {{{first}}}\n  - {{{second}}}\n"
    return Bad(text, problem, schema_sees=False)


_COUNT = "is not a whole number from 1 to 1,000,000,000,000"
_SPAN = "is not a duration such as 250ms"
_A = "name: a"
_C5 = "name: a, concurrent: 5, per: session"
_USD = "name: a, usd: 5, per: session"

FILES: Sequence[Bad] = (
    Bad("", ": is empty; a policy begins with `version: 1`"),
    Bad("# limits\n", ": is empty; a policy begins with `version: 1`"),
    Bad("[]\n", ": must be a mapping, not []; a policy begins"),
    Bad("enforce\n", ": must be a mapping, not 'enforce'; a policy begins"),
    Bad("mode: enforce\n", ": `version` is missing; a policy begins"),
    Bad("version: 2\n", ":1: version: 2 is unknown; this sidecar reads version 1"),
    Bad("version: '1'\n", ":1: version: '1' is unknown"),
    Bad("version: true\n", ":1: version: True is unknown"),
    Bad("version:\n", ":1: version: None is unknown"),
)

TOP: Sequence[Bad] = (
    top("mode: enforced", "mode: 'enforced' is none of: enforce, observe"),
    top("mode: off", "mode: False is none of: enforce, observe"),
    top("mode: [enforce]", "mode: ['enforce'] is none of: enforce, observe"),
    top("on_store_error: open", "on_store_error: 'open' is none of: fail_closed, fail_open"),
    top("limit: []", "limit: unknown key, did you mean `limits`? Known here: version, mode,"),
    top("Limits: []", "Limits: unknown key, did you mean `limits`?"),
    top("concurrent: 5", "concurrent: has no meaning here; it belongs to a rule under `limits`"),
    top("usd: 5", "usd: has no meaning here; it belongs to a rule under `budgets`"),
    top("stall: 5m", "stall: has no meaning here; it belongs to a rule under `lifecycle`"),
    top("agent: coder", "agent: has no meaning here; it belongs to `match`"),
    top("coalesce: 1s", "coalesce: has no meaning here; it belongs to `polling`"),
    top("xyzzy: 1", "xyzzy: unknown key; known here: version, mode, on_store_error, limits,"),
    top("limits: {a: {concurrent: 5}}", "limits: must be a list of rules, each behind a `-`, not"),
    top("limits: 5", "limits: must be a list of rules, each behind a `-`, not 5"),
    top("limits: [5]", "limits[0]: must be a rule such as {name: ..., ...}, not 5"),
    top("limits: [[]]", "limits[0]: must be a rule such as {name: ..., ...}, not []"),
    top("limits: [null]", "limits[0]: must be a rule such as {name: ..., ...}, not None"),
    top(f"limits: [{', '.join(['{}'] * 501)}]", "limits: 501 rules are more than the 500"),
    top("budgets: no", "budgets: must be a list of rules"),
    top("lifecycle: {run: 5m}", "lifecycle: must be a list of rules"),
    top("polling: 250ms", "polling: must be a mapping such as {coalesce: 250ms}"),
    top("polling:", "polling: is empty"),
    top("polling: {}", "polling: is empty"),
    top("polling: {coalesce: 250}", f"polling.coalesce: 250 {_SPAN}"),
    top("polling: {colaesce: 1s}", "polling.colaesce: unknown key, did you mean `coalesce`?"),
    top("prices: [m]", "prices: must be a mapping of models to prices"),
    top("prices: {m: 3.0}", "prices.m: must be a mapping with `input_per_mtok` and"),
    top("prices: {m: {}}", "prices.m: is empty"),
    top("prices: {m: {input_per_mtok: 3}}", "prices.m: `output_per_mtok` is missing"),
    top("prices: {m: {output_per_mtok: 3}}", "prices.m: `input_per_mtok` is missing"),
    top(
        "prices: {m: {input_per_mtok: -1, output_per_mtok: 3}}",
        "prices.m.input_per_mtok: -1 is not an amount of USD such as 3.0",
    ),
    top(
        "prices: {m: {input_per_mtok: 1, output_per_mtok: 3, cache_per_mtok: 1}}",
        "prices.m.cache_per_mtok: unknown key",
    ),
)

LIMITS: Sequence[Bad] = (
    limit("concurrent: 5, per: session", ": `name` is missing: refusals and reports go by it"),
    limit("name: '', concurrent: 5, per: session", "name: '' is not a name"),
    limit("name: a b, concurrent: 5, per: session", "name: 'a b' is not a name"),
    limit("name: 7, concurrent: 5, per: session", "name: 7 is not a name"),
    limit("name: -a, concurrent: 5, per: session", "name: '-a' is not a name"),
    limit(f"name: {'a' * 64}, concurrent: 5, per: session", "name: 'aaaaaaaaaa"),
    limit(_A, ": limits nothing; give it one of `concurrent`, `starts`,"),
    limit("name: a, per: session, message: No.", ": limits nothing; give it one of"),
    limit("name: a, concurrent: 0, per: session", f"concurrent: 0 {_COUNT}"),
    limit("name: a, concurrent: -5, per: session", f"concurrent: -5 {_COUNT}"),
    limit("name: a, concurrent: 5.5, per: session", f"concurrent: 5.5 {_COUNT}"),
    limit("name: a, concurrent: '5', per: session", f"concurrent: '5' {_COUNT}"),
    limit("name: a, concurrent: true, per: session", f"concurrent: True {_COUNT}"),
    limit("name: a, concurrent: , per: session", f"concurrent: None {_COUNT}"),
    limit("name: a, concurrent: .inf, per: session", f"concurrent: inf {_COUNT}"),
    limit("name: a, concurrent: 1_000_000_000_001, per: session", "concurrent: 1000000000001 is"),
    limit("name: a, starts: ten, per: session", f"starts: 'ten' {_COUNT}"),
    limit("name: a, duplicates: 0, per: session", f"duplicates: 0 {_COUNT}"),
    limit("name: a, depth: -1", "depth: -1 is not a whole number from 0 to 1,000"),
    limit("name: a, depth: '>=1'", "depth: '>=1' is not a whole number from 0 to 1,000"),
    limit("name: a, depth: 1001", "depth: 1001 is not a whole number from 0 to 1,000"),
    limit("name: a, deny: false, match: {agent: b}", "deny: can only be true; leave the rule out"),
    limit("name: a, deny: 1, match: {agent: b}", "deny: can only be true"),
    limit("name: a, deny: true", "deny: without `match` nothing at all would start"),
    limit(
        "name: a, concurrent: 5, per: session, deny: true",
        "deny: one rule, one limit: `concurrent` and `deny` need a rule each",
    ),
    limit(
        "name: a, concurrent: 5, starts: 5, depth: 5, per: session",
        "starts: one rule, one limit: `concurrent` and `starts` and `depth` need a rule each",
    ),
    limit("name: a, concurrent: 5", ": `per` is missing: within what does `concurrent` count? One"),
    limit("name: a, starts: 5, window: 1m", ": `per` is missing: within what does `starts` count?"),
    limit("name: a, duplicates: 5", ": `per` is missing: within what does `duplicates` count?"),
    limit("name: a, concurrent: 5, per: sesion", "per: 'sesion' is none of: task, session, super"),
    limit("name: a, concurrent: 5, per: [session]", "per: ['session'] is none of: task, session,"),
    limit("name: a, depth: 2, per: session", "per: `depth` counts nothing"),
    limit("name: a, deny: true, match: {agent: b}, per: tree", "per: `deny` counts nothing"),
    limit(f"{_C5}, window: 1m", "window: only `starts` and `duplicates` have a window, not `con"),
    limit("name: a, depth: 2, window: 1m", "window: only `starts` and `duplicates` have a window"),
    limit("name: a, starts: 5, per: session, window: 60", f"window: 60 {_SPAN}"),
    limit("name: a, starts: 5, per: session, window: 1:30", f"window: 90 {_SPAN}"),
    limit("name: a, starts: 5, per: session, window: 1 minute", f"window: '1 minute' {_SPAN}"),
    limit("name: a, starts: 5, per: session, window: -1m", f"window: '-1m' {_SPAN}"),
    limit("name: a, starts: 5, per: session, window: 0", "window: must be more than 0"),
    limit("name: a, starts: 5, per: session, window: 0s", "window: must be more than 0"),
    limit(
        "name: a, starts: 5, per: session, window: 0.0001ms",
        "window: must be more than 0",
        schema=False,
    ),
    limit(
        "name: a, starts: 5, per: session, window: 3651d",
        "window: '3651d' is longer than 3650 days",
        schema=False,
    ),
    limit(
        f"name: a, starts: 5, per: session, window: {'9' * 400}w",
        "window: '99999",
        schema=False,
    ),
    limit(f"{_C5}, match:", "match: is empty"),
    limit(f"{_C5}, match: {{}}", "match: is empty"),
    limit(f"{_C5}, match: coder", "match: must be a mapping such as {agent: coder}"),
    limit(f"{_C5}, match: [{{agent: b}}]", "match: must be a mapping such as {agent: coder}"),
    limit(f"{_C5}, match: {{agnet: b}}", "match.agnet: unknown key, did you mean `agent`?"),
    limit(f"{_C5}, match: {{name: b}}", "match.name: unknown key"),
    limit(f"{_C5}, match: {{agent: 5}}", "match.agent: 5 is not a name with or without `*`"),
    limit(f"{_C5}, match: {{agent: ''}}", "match.agent: '' is not a name with or without `*`"),
    limit(f"{_C5}, match: {{agent: []}}", "match.agent: is empty: it would match nothing"),
    limit(f"{_C5}, match: {{session: [a, 5]}}", "match.session: 5 is not a name"),
    limit(f"{_C5}, match: {{upstream: {'u' * 201}}}", "match.upstream: 'uuuuuuu"),
    limit(f"{_C5}, match: {{depth: deep}}", "match.depth: 'deep' is not a depth such as 1, '>=1'"),
    limit(f"{_C5}, match: {{depth: -1}}", "match.depth: -1 is not a depth"),
    limit(f"{_C5}, match: {{depth: '=>1'}}", "match.depth: '=>1' is not a depth"),
    limit(f"{_C5}, match: {{depth: [1, 2]}}", "match.depth: [1, 2] is not a depth"),
    limit(f"{_C5}, match: {{depth: '<0'}}", "match.depth: <0 fits no depth", schema=False),
    limit(f"{_C5}, match: {{depth: '>1000'}}", "match.depth: >1000 fits no depth", schema=False),
    limit(
        "name: a, depth: 2, match: {depth: '<=2'}",
        "depth: has no effect: `match` lets only <=2 come here",
        schema=False,
    ),
    limit(f"{_C5}, message: ''", "message: must be a text for the calling model"),
    limit(f"{_C5}, message: 5", "message: must be a text for the calling model"),
    limit(f"{_C5}, message: {'x' * 1001}", "message: is longer than 1,000 characters"),
    limit(f'{_C5}, message: "a\\0b"', "message: has characters that cannot", schema=False),
    limit(f'{_C5}, message: "\\ud800"', "message: has characters that cannot", schema=False),
    limit(f"{_C5}, mode: warn", "mode: 'warn' is none of: enforce, observe"),
    limit("name: a, concurent: 5, per: session", "concurent: unknown key, did you mean `concurre"),
    limit(f"{_C5}, usd: 5", "usd: has no meaning here; it belongs to a rule under `budgets`"),
    limit(f"{_C5}, run: 5m", "run: has no meaning here; it belongs to a rule under `lifecycle`"),
    limit(f"{_C5}, agent: b", "agent: has no meaning here; it belongs to `match`"),
)

BUDGETS: Sequence[Bad] = (
    budget("usd: 5, per: session", ": `name` is missing"),
    budget("name: a, per: session", ": a budget without any amount; give it at least one of `usd`"),
    budget("name: a, usd: 5", ": `per` is missing: within what is it added up? One of task, sess"),
    budget("name: a, usd: 0, per: session", "usd: must be more than 0"),
    budget("name: a, usd: '0.00', per: session", "usd: must be more than 0"),
    budget("name: a, usd: -5, per: session", "usd: -5 is not an amount of USD such as 5.00"),
    budget("name: a, usd: $5, per: session", "usd: '$5' is not an amount of USD such as 5.00"),
    budget("name: a, usd: '5,00', per: session", "usd: '5,00' is not an amount of USD"),
    budget("name: a, usd: 5 USD, per: session", "usd: '5 USD' is not an amount of USD"),
    budget("name: a, usd: .nan, per: session", "usd: nan is not an amount of USD", schema=False),
    budget("name: a, usd: .inf, per: session", "usd: inf is not an amount of USD"),
    budget("name: a, usd: 1000001, per: session", "usd: 1000001 is not an amount of USD"),
    budget("name: a, usd: true, per: session", "usd: True is not an amount of USD"),
    budget(
        "name: a, usd: 0.0000001, per: session",
        "usd: 1e-07 has more than six decimals",
        schema=False,
    ),
    budget("name: a, tokens: 2M, per: session", f"tokens: '2M' {_COUNT}"),
    budget("name: a, tokens: 0, per: session", f"tokens: 0 {_COUNT}"),
    budget("name: a, run_time: 3600, per: session", f"run_time: 3600 {_SPAN}"),
    budget("name: a, run_time: 0, per: session", "run_time: must be more than 0"),
    budget("name: a, runs: none, per: session", f"runs: 'none' {_COUNT}"),
    budget(f"{_USD}, window: day", f"window: 'day' {_SPAN}"),
    budget(f"{_USD}, soft_at: 80", "soft_at: 80 is not a share of the budget between 0 and 1"),
    budget(f"{_USD}, soft_at: 1", "soft_at: 1 is not a share of the budget"),
    budget(f"{_USD}, soft_at: 0", "soft_at: 0 is not a share of the budget"),
    budget(f"{_USD}, soft_at: 80%", "soft_at: '80%' is not a share of the budget"),
    budget(f"{_USD}, on_exhausted: deny", "on_exhausted: 'deny' is none of: deny_new, cancel"),
    budget(
        "name: a, runs: 5, per: task, on_exhausted: cancel",
        "on_exhausted: runs are counted when they start, so that none is ever there to cancel",
        schema=False,
    ),
    budget(f"{_USD}, on_unpriced: free", "on_unpriced: 'free' is none of: assume:USD (as in"),
    budget(f"{_USD}, on_unpriced: 'assume:'", "on_unpriced: '' is not an amount of USD"),
    budget(f"{_USD}, on_unpriced: assume:0", "on_unpriced: must be more than 0"),
    budget(f"{_USD}, on_unpriced: {{assume: 0.50}}", "on_unpriced: {'assume': 0.5} is none of"),
    budget(
        f"{_USD}, on_unpriced: assume:5.01",
        "on_unpriced: one unpriced run would be more than the 5.000000 USD",
        schema=False,
    ),
    budget(
        "name: a, tokens: 5, per: session, on_unpriced: ignore",
        "on_unpriced: has no effect: without `usd` no price is asked for",
    ),
    budget(f"{_USD}, reserve: 0.10", "reserve: must be a mapping such as {usd: 0.10}"),
    budget(f"{_USD}, reserve: {{}}", "reserve: is empty"),
    budget(f"{_USD}, reserve: {{runs: 1}}", "reserve.runs: has no meaning here"),
    budget(f"{_USD}, reserve: {{usd: 0}}", "reserve.usd: must be more than 0"),
    budget(
        f"{_USD}, reserve: {{tokens: 5}}",
        "reserve.tokens: has no effect: this budget has no `tokens`",
        schema=False,
    ),
    budget(
        f"{_USD}, reserve: {{usd: 6}}",
        "reserve.usd: 6 for each run is more than the whole budget: nothing would ever start",
        schema=False,
    ),
    budget(f"{_USD}, concurrent: 5", "concurrent: has no meaning here; it belongs to a rule under"),
    budget(f"{_USD}, deny: true", "deny: has no meaning here; it belongs to a rule under `limits`"),
    budget(f"{_USD}, sof_at: 0.8", "sof_at: unknown key, did you mean `soft_at`?"),
    budget(f"{_USD}, match: {{tenant: x}}", "match.tenant: unknown key"),
)

CLOCKS: Sequence[Bad] = (
    clock("run: 5m", ": `name` is missing"),
    clock(_A, ": sets nothing; give it at least one of `queue`, `run`,"),
    clock("name: a, match: {agent: b}", ": sets nothing; give it at least one of"),
    clock("name: a, run: 30", f"run: 30 {_SPAN}"),
    clock("name: a, run: off", f"run: False {_SPAN}"),
    clock("name: a, total: 2 hours", f"total: '2 hours' {_SPAN}"),
    clock("name: a, stall: ''", f"stall: '' {_SPAN}"),
    clock("name: a, waiting: 1h30m", f"waiting: '1h30m' {_SPAN}"),
    clock("name: a, queue: 2026-01-01", "queue: datetime.date(2026, 1, 1) is not a duration"),
    clock("name: a, heartbeat: 0", "heartbeat: must be more than 0"),
    clock("name: a, verify_for: 0s", "verify_for: must be more than 0"),
    clock("name: a, then: kill", "then: 'kill' is none of: escalate, keep_asking"),
    clock("name: a, on_parent_close: cancel", "on_parent_close: 'cancel' is none of: abandon,"),
    clock("name: a, on_session_end: true", "on_session_end: True is none of: abandon, request_c"),
    clock("name: a, deadline: 5m", "deadline: unknown key; known here: name, mode, queue, run,"),
    clock("name: a, timeout: 5m", "timeout: unknown key"),
    clock("name: a, leas: 5m", "leas: unknown key, did you mean `lease`?"),
    clock("name: a, run: 5m, usd: 5", "usd: has no meaning here; it belongs to a rule under"),
    clock("name: a, run: 5m, per: session", "per: unknown key"),
    clock(
        "name: a, lease: 10m, grace: 11m",
        "grace: grace of 11m is longer than the lease of 10m",
        schema=False,
    ),
    clock(
        "name: a, lease: 1m, heartbeat: 30s",
        "heartbeat: a lease of 1m is not over twice the heartbeat (30s): one late",
        schema=False,
    ),
    clock(
        "name: a, lease: 2m",
        "lease: a lease of 2m is not over twice the heartbeat (1m, the default)",
        schema=False,
    ),
    clock(
        "name: a, lease: 2m, mode: observe",
        "lease: a lease of 2m is not over twice the heartbeat (1m, the default)",
        schema=False,
    ),
    clock(
        "name: a, run: 3h, total: 2h",
        "run: a run may take 3h, but its task only 2h in total; raise `total`",
        schema=False,
    ),
)

BETWEEN_RULES: Sequence[Bad] = (
    two(
        "limits",
        "name: a, concurrent: 5, per: session",
        "name: a, starts: 5, per: session",
        ":4: limits[1].name: `a` is the name of another rule (",
    ),
    two(
        "limits",
        "name: a, concurrent: 5, per: session",
        "name: b, concurrent: 9, per: session",
        ":4: limits[1]: has no effect beside `a`, which allows no more",
    ),
    two(
        "limits",
        "name: a, concurrent: 9, per: session",
        "name: b, concurrent: 5, per: session",
        ":3: limits[0]: has no effect beside `b`, which allows no more",
    ),
    two(
        "limits",
        "name: a, deny: true, match: {agent: b}",
        "name: b, deny: true, match: {agent: b}",
        ":4: limits[1]: has no effect beside `a`",
    ),
    two(
        "lifecycle",
        "name: a, run: 5m",
        "name: b, run: 6m, stall: 1m",
        ":3: lifecycle[0]: has no effect: all it sets is set again by `b`",
    ),
    two(
        "lifecycle",
        "name: a, run: 5m, match: {agent: b}",
        "name: b, run: 6m, match: {agent: '*'}",
        ":3: lifecycle[0]: has no effect: all it sets is set again by `b`",
    ),
    two(
        "lifecycle",
        "name: a, lease: 10m, grace: 5m",
        "name: b, lease: 4m, match: {agent: b}",
        ":4: lifecycle[1].lease: grace of 5m is longer than the lease of 4m",
    ),
    two(
        "lifecycle",
        "name: a, run: 4h, match: {agent: b}",
        "name: b, total: 2h",
        ":4: lifecycle[1].total: a run may take 4h, but its task only 2h in total",
    ),
    two(
        "lifecycle",
        "name: a, lease: 10m",
        "name: b, heartbeat: 5m",
        ":4: lifecycle[1].heartbeat: a lease of 10m is not over twice the heartbeat (5m)",
    ),
)

BROKEN: Sequence[Bad] = (
    Bad("version: 1\nlimits: [\n", ":3: not valid YAML: ", False),
    Bad("version: 1\n\tlimits: []\n", ":2: not valid YAML: ", False),
    Bad("version: 1\nversion: 1\n", ":2: version: stands twice (first in line 1)", False),
    Bad("version: !!bool x\n", ": not valid YAML: a value does not fit its tag", False),
    Bad("version: !!timestamp x\n", ": not valid YAML: a value does not fit its tag", False),
    Bad("version: !!int ''\n", ": not valid YAML: ", False),
    Bad("version: !!python/name:os.system x\n", ":1: not valid YAML: ", False),
    Bad("version: 1\n5: 5\n", ":2: 5: is no key; known here: version, mode,", False),
    Bad("version: 1\nnull: 5\n", ": None: is no key; known here: version, mode,", False),
    Bad(
        "version: 1\nprices: {7: {input_per_mtok: 1, output_per_mtok: 1}}\n",
        ":2: prices.7: 7 is not a model's name; quote what is not a text",
        False,
    ),
)

EVERY: Sequence[Bad] = (
    *(*FILES, *TOP, *LIMITS, *BUDGETS, *CLOCKS),
    *(*BETWEEN_RULES, *BROKEN),
)
