"""Errors as answers. A refusal is one flat object (design 3.5)."""

import json
from dataclasses import fields, replace
from typing import Any

import pytest
from tests.support.refusals import EVERY_CODE, refused

from subagent_sidecar import errors
from subagent_sidecar.core.policy import Amounts, LimitKind
from subagent_sidecar.core.quick import changed
from subagent_sidecar.core.refusal import Refused
from subagent_sidecar.core.verdict import Held
from subagent_sidecar.errors import (
    KeyExpired,
    KeyMissing,
    KeyRevoked,
    KeyUnknown,
    PolicyInvalid,
    RoleNeeded,
    StoreBusy,
    TokenNeeded,
    Unauthenticated,
)
from subagent_sidecar.proxy.problems import problem

KEYS = ["error", "message", "detail", "code", "rule", "policy", "scope", "scope_id", "limit",
        "current", "reserved", "retry_after_s", "request_id"]  # fmt: skip


def answered(code: str) -> tuple[int, dict[bytes, bytes], dict[str, Any]]:
    status, head, body = problem(refused(code), request_id="req-1")
    return status, dict(head), json.loads(body)


def test_every_kind_of_refusal_is_among_them() -> None:
    limits = {f"limit_{kind}" for kind in LimitKind if kind is not LimitKind.DENY}
    budgets = {f"budget_{each.name}" for each in fields(Amounts) if each.init}
    budgets = {code.replace("micro_usd", "usd") for code in budgets}
    assert set(EVERY_CODE) == limits | budgets | {
        "denied", "frozen", "budget_unpriced", "key_agents",
    }  # fmt: skip
    assert all(refused(code).code == code for code in EVERY_CODE)


@pytest.mark.parametrize("code", EVERY_CODE)
def test_a_refusal_is_flat_and_marked_and_says_the_same_sentence_twice(code: str) -> None:
    status, fields, body = answered(code)
    assert sorted(body) == sorted(KEYS)
    assert body["error"] == body["code"] == code
    assert body["message"] == body["detail"] == refused(code).message
    assert status == (402 if code.startswith("budget_") else 403)
    assert fields[b"x-subagent-sidecar"] == b"refused"
    assert fields[b"content-type"] == b"application/json"
    assert body["request_id"] == "req-1" == fields[b"x-request-id"].decode()


NUMBERS: dict[str, tuple[object, ...]] = {
    "limit_concurrent": ("session", "t1", 1, 1),
    "limit_starts": ("agent", "coder", 1, 1),
    "limit_duplicates": ("supervisor", "ann", 1, 1),
    "limit_depth": (None, None, 0, 1),
    "denied": (None, None, None, None),
    # Whose tree it is, is not for everybody in it; nor is what all callers are.
    "budget_usd": ("tree", None, "5.000000", "5.020001"),
    "budget_tokens": ("global", None, 5_000, 6_000),
    "budget_run_time": ("upstream", "up", 10.0, 12.5),
    "budget_runs": ("session", "t1", 1, 1),
    "budget_unpriced": ("session", "t1", 0, 1),
    "frozen": ("agent", "coder", None, None),
    "key_agents": ("agent", "coder", None, None),
}


@pytest.mark.parametrize("code", EVERY_CODE)
def test_a_refusal_has_its_numbers_each_in_its_own_unit(code: str) -> None:
    _, _, body = answered(code)
    scope, scope_id, limit, current = NUMBERS[code]
    assert (body["scope"], body["scope_id"]) == (scope, scope_id)
    assert (body["limit"], body["current"]) == (limit, current)
    assert (body["rule"], body["policy"]) in [
        ("a", "p"),
        ("freeze", "operator"),
        ("agents", "key"),
    ]


def test_what_is_only_reserved_is_told_apart_from_what_is_counted() -> None:
    shares = {code: answered(code)[2]["reserved"] for code in EVERY_CODE}
    nothing: dict[str, object] = {"budget_usd": "0.000000", "budget_tokens": 0}
    nothing |= {"budget_run_time": 0.0}
    assert shares == {code: nothing.get(code) for code in EVERY_CODE}
    deny = refused("budget_usd").deny
    check = changed(deny.check, held=Held(250_000, 1, 1))
    _, _, body = problem(Refused(replace(deny, check=check)))
    assert json.loads(body)["reserved"] == "0.250000"


def test_when_waiting_helps_it_says_how_long_in_the_header_too() -> None:
    _, fields, body = answered("limit_starts")
    assert body["retry_after_s"] == 51
    assert fields[b"retry-after"] == b"51"
    _, fields, body = answered("limit_depth")
    assert body["retry_after_s"] is None
    assert b"retry-after" not in fields


def test_no_other_error_is_marked_as_a_refusal() -> None:
    status, fields, body = problem(StoreBusy("too many writes are waiting"))
    assert status == 503
    assert b"x-subagent-sidecar" not in dict(fields)
    assert "rule" not in json.loads(body)


@pytest.mark.parametrize("kind", [KeyMissing, KeyUnknown, KeyExpired, KeyRevoked])
def test_who_is_not_let_in_is_told_how_one_gets_in(kind: type[Unauthenticated]) -> None:
    status, fields, body = problem(kind("make a key"))
    assert (status, json.loads(body)["message"]) == (401, "make a key")
    assert dict(fields)[b"www-authenticate"] == b'Bearer realm="subagent-sidecar"'


def test_a_reload_that_fails_tells_every_problem() -> None:
    _, _, body = problem(PolicyInvalid(["one", "two"]))
    assert json.loads(body)["problems"] == ["one", "two"]


def test_a_request_without_an_id_gets_one() -> None:
    _, fields, body = problem(refused("denied"))
    assert json.loads(body)["request_id"] == dict(fields)[b"x-request-id"].decode() != ""


OF_THE_DATA_PLANE = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type)
    and issubclass(kind, errors.SidecarError)
    and kind.status in (401, 403)
    and kind not in (RoleNeeded, TokenNeeded)
]


@pytest.mark.parametrize("kind", OF_THE_DATA_PLANE)
def test_a_401_or_403_of_ours_is_told_apart_from_the_agent_servers(
    kind: type[errors.SidecarError],
) -> None:
    _, head, _ = problem(kind("no"))
    assert dict(head)[b"x-subagent-sidecar"] == b"refused"
