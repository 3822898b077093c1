"""Events in words a person on call likes to read."""

from datetime import timedelta

import pytest
from tests.support.refusals import policy

from subagent_sidecar.core.budgets import Standing
from subagent_sidecar.core.cancel import operators_reason
from subagent_sidecar.core.candidates import Key
from subagent_sidecar.core.reap_words import CLOCK_WORDS, clock_reason, orphan_reason
from subagent_sidecar.core.refusal import cut_short
from subagent_sidecar.core.verdict import Spent
from subagentctl.client import JsonObject
from subagentctl.commands.events import line
from subagentctl.echoes import Reasons, without_echoes
from subagentctl.look import Look
from subagentctl.story import KINDS, clause, style_of


def event(kind: str, status: str | None = None, **detail: object) -> JsonObject:
    return {"kind": kind, "status": status, "detail": detail}


RAN_OUT = clock_reason(Key.RUN, 45.0, timedelta(seconds=20), "clocks", "team")
ADDED = {"micro_usd": 1_500_000, "run_time": 1_800_000_000, "runs": 2}


@pytest.mark.parametrize(
    ("happened", "told"),
    [
        (event("started", "pending"), "started"),
        (event("started", "running"), "started (running)"),
        (event("updated", "pending"), "follow-up sent"),
        (
            event("updated", "pending", strategy="enqueue"),
            "follow-up sent, queued behind the run before it",
        ),
        (event("updated", strategy="merge"), "follow-up sent (merge)"),
        (event("run_status", "running"), "run began"),
        (event("run_status", "error"), "run failed"),
        (event("run_status", "interrupted"), "run was interrupted"),
        (event("run_status", "dozing"), "run is dozing"),
        (event("run_status"), "run is unknown"),
        (event("status", "waiting"), "waiting for a human"),
        (event("ended", "success", by="upstream"), "ended: success"),
        (event("ended", "error", by="upstream"), "ended: error"),
        (event("ended", "cancelled", by="supervisor"), "ended: cancelled by the supervisor"),
        (
            event("ended", "cancelled", by="operator", reason="too dear"),
            "ended: cancelled by an operator: too dear",
        ),
        (event("ended", "cancelled", by="moon"), "ended: cancelled by moon"),
        (
            event("cancel_asked", by="operator", reason=operators_reason("It loops. Twice!")),
            "cancel asked for by an operator: It loops. Twice!",
        ),
        (
            event("ended", "cancelled", by="operator", reason=operators_reason(None)),
            "ended: cancelled by an operator",
        ),
        (event("ended"), "ended: unknown"),
        (event("in_doubt", reason="cut off"), "start in doubt: cut off"),
        (event("start_failed", reason="503"), "start came to nothing: 503"),
        (event("start_failed"), "start came to nothing"),
        (
            event("cancel_asked", by="reaper", reason="orphan"),
            "cancel asked for by the reaper: orphan",
        ),
        (
            event("ended", "cancelled", by="reaper", reason=RAN_OUT),
            "ended: cancelled by the reaper: its run took 45 s, and 20 s is the most for one run "
            "(rule clocks of policy team)",
        ),
        (
            event("cancel_asked", by="reaper", reason=orphan_reason("it ended. So", "o", "")),
            "cancel asked for by the reaper: it ended. So (o)",
        ),
        (event("cancel_confirmed", "interrupted"), "cancel confirmed: the run is over"),
        (
            event("cancel_confirmed", "interrupted", lost=True),
            "cancel tried no more: its server has neither the run nor its thread",
        ),
        (event("cancel_too_late", "success"), "cancel came too late: the run had succeeded"),
        (
            event("cancel_unconfirmed", "running", tried=["interrupt", "rollback"]),
            "cancel not obeyed: the run goes on (tried: interrupt, rollback)",
        ),
        (event("cancel_unconfirmed"), "cancel not obeyed: the run goes on"),
        (
            event("cancel_unconfirmed", "interrupted", again=True),
            "cancelled run is at work again: its server forgot the cancel",
        ),
        (event("thread_deleted", by="supervisor"), "thread deleted by the supervisor"),
        (event("thread_deleted", by="server_lost"), "thread is gone from its server"),
        (event("cron_created", cron_id="c-1"), "cron c-1 created"),
        (event("cron_created"), "cron created"),
        (
            event(
                "refused",
                rule="fan-out",
                what="concurrent",
                current=5,
                limit=5,
                scope="session",
                scope_id="s1",
            ),
            "start refused by fan-out: concurrent 5 of 5 (session s1)",
        ),
        (
            event("refused", rule="dime", what="micro_usd", current=180_000, limit=100_000),
            "start refused by dime: $0.18 of $0.10",
        ),
        (
            event("refused", rule="slow", what="run_time", current=61_500_000, limit=60_000_000),
            "start refused by slow: run time 1m 1s of 1m 0s",
        ),
        (
            event("refused", rule="no-coder", what="deny", current=0, limit=0),
            "start refused by no-coder",
        ),
        (
            event("refused", rule="dime", what="unpriced", current=2, limit=0),
            "start refused by dime: runs of models without a price",
        ),
        (
            event("refused", rule="no", times=4211, first_at="2026-11-23T02:30:00.000000Z"),
            "start refused by no, 4,211 times since 02:30:00Z",
        ),
        (
            event("would_refuse", rule="deep", what="depth", current=3, limit=2),
            "start let in, although an observing rule was against it: deep: depth 3 of 2",
        ),
        (
            event("refused", rule="agents", policy="key", what="key", current=0, limit=0),
            "start refused by its key",
        ),
        (
            event("key_created", key_id="k7", supervisor="team-a", agents=["*"]),
            "key k7 of supervisor team-a was made",
        ),
        (
            event("key_revoked", key_id="k7", supervisor="team-a"),
            "key k7 of supervisor team-a was revoked",
        ),
        (
            event("frozen", scope="global", scope_id="*", reason="too dear"),
            "all starts frozen: too dear",
        ),
        (
            event("unfrozen", scope="agent", scope_id="coder"),
            "starts of agent coder no longer frozen",
        ),
        (
            event("budget_raised", budget="team", scope="session", scope_id="s1"),
            "budget team raised (session s1)",
        ),
        (
            event(
                "budget_near",
                rule="usd",
                what="micro_usd",
                current=9 * 10**5,
                limit=10**6,
                reserved=4 * 10**5,
                scope="global",
                scope_id="*",
            ),
            "budget usd is nearly spent: $0.90 of $1.00, $0.40 of it only reserved (global)",
        ),
        (
            event("budget_near", rule="usd", what="micro_usd", current=585_000, limit=200_000),
            "budget usd has passed its soft threshold: $0.585 of $0.20",
        ),
        (
            event("refused", rule="usd", what="tokens", current=9, limit=10, reserved=4),
            "start refused by usd: tokens 9 of 10, 4 tokens of it only reserved",
        ),
        (
            event(
                "admin_act",
                act="freeze",
                by="alice",
                role="operator",
                outcome="done",
                target={"scope": "agent", "id": "coder", "reason": "loops"},
                **{"from": "10.0.0.7"},
            ),
            "alice: freeze agent coder: done (operator, from 10.0.0.7)",
        ),
        (
            event(
                "admin_act",
                act="reload_policy",
                by="anonymous",
                role="admin",
                outcome="refused",
                code="policy_invalid",
                **{"from": "::1"},
            ),
            "anonymous: reload the policy: refused, policy_invalid (from ::1)",
        ),
        (
            event("admin_act", act="cancel_many", by="eve", outcome="denied", times=4_211),
            "eve: cancel tasks: denied, 4,211 times",
        ),
        (
            event("admin_act", act="make_key", by="eve", outcome="denied"),
            "eve: make a key: denied",
        ),
        (
            event("admin_act", act="sing_songs", by="eve", outcome="sung"),
            "eve: sing songs: sung",
        ),
        (
            event("reaped", "running", rule="clocks", evidence="running for 31 min"),
            "reaped by rule clocks: running for 31 min",
        ),
        (
            event("reaped", "running", rule="the session's own lease", evidence="silent"),
            "reaped by the session's own lease: silent",
        ),
        (
            event("abandoned", "running", rule="orphans", evidence="its session was ended"),
            "left to itself by rule orphans: its session was ended",
        ),
        (
            event("would_reap", "running", rule="strict", evidence="running for 31 min"),
            "would be reaped, if it were enforced, by rule strict: running for 31 min",
        ),
        (
            event("budget_exhausted", rule="t", what="runs", current=2, limit=2, count=0),
            "budget t is spent: 2 of 2 runs",
        ),
        (
            event("budget_near", rule="t", what="run_time", current=9e8, limit=10**9),
            "budget t is nearly spent: 900 of 1,000 s of run time",
        ),
        (
            event("budget_raised", budget="t", scope="session", scope_id="s", added=ADDED),
            "budget t raised by $1.50, 1,800 s of run time, 2 runs (session s)",
        ),
        ({"kind": "gap", "reason": "pruned"}, "some events are missing: pruned"),
    ],
)
def test_what_happened_is_a_clause(happened: JsonObject, told: str) -> None:
    assert clause(happened) == told


def test_every_kind_this_version_knows_can_be_told_without_details() -> None:
    for kind in KINDS:
        assert clause({"kind": kind}).strip()


@pytest.mark.parametrize(
    ("happened", "told"),
    [
        (
            event("budget_forgiven", "running", usd=5, by="operator", note=None),
            "budget forgiven: running (usd=5, by=operator)",
        ),
        (event("reaped"), "reaped"),
        ({"kind": "reconsidered", "detail": "?"}, "reconsidered"),
        ({}, "something happened"),
        ({"kind": 7, "status": ["x"]}, "7: ['x']"),
    ],
)
def test_what_this_version_does_not_know_is_told_all_the_same(
    happened: JsonObject, told: str
) -> None:
    assert clause(happened) == told


@pytest.mark.parametrize(
    ("happened", "style"),
    [
        (event("ended", "success"), "success"),
        (event("status", "waiting"), "waiting"),
        (event("cancel_unconfirmed", "running"), "alarm"),
        (event("reaped", "running"), "alarm"),
        (event("run_status", "error"), ""),
    ],
)
def test_what_needs_a_look_stands_out(happened: JsonObject, style: str) -> None:
    assert style_of(happened) == style


def test_of_a_run_and_its_task_only_the_task_is_told() -> None:
    begun: JsonObject = {"kind": "run_status", "at": "1", "run_id": "r"}
    story: list[JsonObject] = [
        begun,
        {"kind": "status", "at": "1", "run_id": "r"},
        {"kind": "run_status", "at": "2", "run_id": "r"},
        {"kind": "run_status", "at": "3", "run_id": "older"},
        {"kind": "ended", "at": "3", "run_id": "r"},
        {"kind": "run_status"},
    ]
    assert without_echoes(story) == story[1:]


def spent_text() -> str:
    """What the model reads of a task that a budget ended."""
    text = "budgets: [{name: day, usd: 5, per: session, on_exhausted: cancel, message: Stop.}]"
    [budget] = policy(text).budgets
    spent = Spent(micro_usd=5_020_000)
    [answer, *_] = Standing(budget=budget, scope_id="s", spent=spent).exhausted
    return cut_short(answer.check, budget)


def test_who_reads_a_timeline_is_not_told_what_the_model_shall_do() -> None:
    assert clause(event("cancel_asked", by="budget", reason=spent_text())) == (
        "cancel asked for by a budget: the budget in this session is spent: 5.02 of 5.00 USD "
        "(rule day of policy p)"
    )


@pytest.mark.parametrize("by", ["budget", "operator"])
def test_why_a_task_was_cancelled_is_said_once(by: str) -> None:
    why = spent_text() if by == "budget" else operators_reason("too dear")
    asked = {**event("cancel_asked", by=by, reason=why), "task_id": "t", "run_id": "r"}
    ended = {**event("ended", "cancelled", by=by, reason=why), "task_id": "t", "run_id": "r"}
    reasons = Reasons()
    assert reasons.once(ended) == ended, "nobody has said it before"
    assert [clause(reasons.once(each)) for each in (asked, ended)] == [
        clause(asked),
        f"ended: cancelled by {'a budget' if by == 'budget' else 'an operator'}",
    ]
    elsewhere = {**ended, "run_id": "r2"}
    another = {**ended, "detail": {"by": by, "reason": "another"}}
    for each in (elsewhere, another):
        reasons.once(asked)
        assert reasons.once(each) == each


@pytest.mark.parametrize("kind", ["cancel_asked", "ended"])
def test_of_a_reaped_task_the_evidence_is_said_and_the_reason_not_once_more(kind: str) -> None:
    reaped = {**event("reaped", rule="clocks", evidence="running for 45 s"), "task_id": "t"}
    asked = {**event(kind, "cancelled", by="reaper", reason=RAN_OUT), "task_id": "t"}
    reasons = Reasons()
    assert reasons.once(asked) == asked, "nobody has said it before"
    assert reasons.once(reaped) == reaped
    assert "reason" not in reasons.once(asked)["detail"]
    for stays in (
        {**asked, "task_id": "u"},
        {**asked, "detail": {"by": "operator", "reason": "x"}},
    ):
        assert reasons.once(stays) == stays


@pytest.mark.parametrize("key", [key for key in Key if key in CLOCK_WORDS])
def test_what_a_clock_tells_a_model_is_shorter_for_people(key: Key) -> None:
    reason = clock_reason(key, 45.0, timedelta(seconds=20), "clocks", "team")
    told = clause(event("ended", "cancelled", by="reaper", reason=reason))
    assert "20 s is the most" in told and told.endswith(" (rule clocks of policy team)")
    assert "clock: " not in told and "again" not in told


HAPPENED = {
    **event("ended", "error", by="upstream"),
    "at": "2026-11-23T03:00:00.123456Z",
    "task_id": "01a2064f-5864-7545-89d1-a55134a759fd",
    "agent_name": "researcher",
}


MADE = {
    **event(
        "admin_act",
        act="make_key",
        by="alice",
        role="admin",
        outcome="done",
        target={"name": "team-a"},
        **{"from": "192.0.2.2"},
    ),
    "at": HAPPENED["at"],
}


@pytest.mark.parametrize(
    ("happened", "width", "told"),
    [
        (HAPPENED, None, "11-23 03:00:00Z  34a759fd  researcher      ended: error"),
        (HAPPENED, 70, "11-23 03:00:00Z  34a759fd  research…  ended: error"),
        (HAPPENED, 60, "11-23 03:00:00Z  34a759fd  resea…  ended: error"),
        (HAPPENED, 42, "11-23 03:00:00Z  34a759fd  resea…  ended:…"),
        (HAPPENED, 12, "11-23 03:00…"),
        ({"kind": "cron_created"}, None, "                 —         —               cron created"),
        (MADE, 80, "11-23 03:00:00Z  —  alice: make a key of team-a: done (admin, from 192.0.2.2)"),
        (
            {**HAPPENED, "agent_name": "a-very-long-agent-name", "status": "\x1b[31m\n!"},
            None,
            "11-23 03:00:00Z  34a759fd  a-ver…ent-name  ended: �[31m !",
        ),
    ],
)
def test_an_event_is_one_harmless_line_that_fits(
    happened: JsonObject, width: int | None, told: str
) -> None:
    assert line(happened, Look(width=width)) == told


def test_only_what_happened_is_painted() -> None:
    painted = line(HAPPENED, Look(color=True))
    assert painted.endswith("researcher      \x1b[31mended: error\x1b[0m")
