"""What can be wrong with a whole file, outside its rules and between them."""

from collections.abc import Sequence

from .bad import SPAN, Bad, top, two

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
    top("polling: {coalesce: 250}", f"polling.coalesce: 250 {SPAN}"),
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
