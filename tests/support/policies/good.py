"""Policy files that are good: one that says everything, and some that say odd things."""

from subagent_sidecar.policy_file import NAMES, find

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
