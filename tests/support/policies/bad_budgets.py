"""What can be wrong with a budget or a lifecycle rule."""

from collections.abc import Sequence

from .bad import COUNT, SPAN, Bad, budget, clock

A = "name: a"
USD = "name: a, usd: 5, per: session"

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
    budget("name: a, tokens: 2M, per: session", f"tokens: '2M' {COUNT}"),
    budget("name: a, tokens: 0, per: session", f"tokens: 0 {COUNT}"),
    budget("name: a, run_time: 3600, per: session", f"run_time: 3600 {SPAN}"),
    budget("name: a, run_time: 0, per: session", "run_time: must be more than 0"),
    budget("name: a, runs: none, per: session", f"runs: 'none' {COUNT}"),
    budget(f"{USD}, window: day", f"window: 'day' {SPAN}"),
    budget(f"{USD}, soft_at: 80", "soft_at: 80 is not a share of the budget between 0 and 1"),
    budget(f"{USD}, soft_at: 1", "soft_at: 1 is not a share of the budget"),
    budget(f"{USD}, soft_at: 0", "soft_at: 0 is not a share of the budget"),
    budget(f"{USD}, soft_at: 80%", "soft_at: '80%' is not a share of the budget"),
    budget(f"{USD}, on_exhausted: deny", "on_exhausted: 'deny' is none of: deny_new, cancel"),
    budget(
        "name: a, runs: 5, per: task, on_exhausted: cancel",
        "on_exhausted: runs are counted when they start, so that none is ever there to cancel",
        schema=False,
    ),
    budget(f"{USD}, on_unpriced: free", "on_unpriced: 'free' is none of: assume:USD (as in"),
    budget(f"{USD}, on_unpriced: 'assume:'", "on_unpriced: '' is not an amount of USD"),
    budget(f"{USD}, on_unpriced: assume:0", "on_unpriced: must be more than 0"),
    budget(f"{USD}, on_unpriced: {{assume: 0.50}}", "on_unpriced: {'assume': 0.5} is none of"),
    budget(
        f"{USD}, on_unpriced: assume:5.01",
        "on_unpriced: one unpriced run would be more than the 5.000000 USD",
        schema=False,
    ),
    budget(
        "name: a, tokens: 5, per: session, on_unpriced: ignore",
        "on_unpriced: has no effect: without `usd` no price is asked for",
    ),
    budget(f"{USD}, reserve: 0.10", "reserve: must be a mapping such as {usd: 0.10}"),
    budget(f"{USD}, reserve: {{}}", "reserve: is empty"),
    budget(f"{USD}, reserve: {{runs: 1}}", "reserve.runs: has no meaning here"),
    budget(f"{USD}, reserve: {{usd: 0}}", "reserve.usd: must be more than 0"),
    budget(
        f"{USD}, reserve: {{tokens: 5}}",
        "reserve.tokens: has no effect: this budget has no `tokens`",
        schema=False,
    ),
    budget(
        f"{USD}, reserve: {{usd: 6}}",
        "reserve.usd: 6 for each run is more than the whole budget: nothing would ever start",
        schema=False,
    ),
    budget(f"{USD}, concurrent: 5", "concurrent: has no meaning here; it belongs to a rule under"),
    budget(f"{USD}, deny: true", "deny: has no meaning here; it belongs to a rule under `limits`"),
    budget(f"{USD}, sof_at: 0.8", "sof_at: unknown key, did you mean `soft_at`?"),
    budget(f"{USD}, match: {{tenant: x}}", "match.tenant: unknown key"),
)

CLOCKS: Sequence[Bad] = (
    clock("run: 5m", ": `name` is missing"),
    clock(A, ": sets nothing; give it at least one of `queue`, `run`,"),
    clock("name: a, match: {agent: b}", ": sets nothing; give it at least one of"),
    clock("name: a, run: 30", f"run: 30 {SPAN}"),
    clock("name: a, run: off", f"run: False {SPAN}"),
    clock("name: a, total: 2 hours", f"total: '2 hours' {SPAN}"),
    clock("name: a, stall: ''", f"stall: '' {SPAN}"),
    clock("name: a, waiting: 1h30m", f"waiting: '1h30m' {SPAN}"),
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
