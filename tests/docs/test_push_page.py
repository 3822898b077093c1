"""docs/push.md: its code checks what the sidecar signs, and its configuration can be used."""

import json
import re
from collections.abc import Callable
from pathlib import Path

from tests.docs import repository
from tests.docs.test_config_page import known, rows
from tests.support.settings import parsed, problems

from subagent_sidecar.clock import SystemClock
from subagent_sidecar.core.push.body import body
from subagent_sidecar.core.push.deliveries import Delivery
from subagent_sidecar.core.push.signing import HEADER, signature

PAGE = repository.read("docs/push.md")
BODY, OLD, NEW = b'{"id":"t.1"}', b"an old secret, long enough", b"a new secret, long enough"


def _now() -> int:
    return int(SystemClock().now().timestamp())


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def check() -> Callable[[str, bytes, bytes], bool]:
    defined: dict[str, Callable[[str, bytes, bytes], bool]] = {}
    exec(block("python"), defined)  # it is ours
    return defined["is_genuine"]


def test_its_code_takes_what_was_signed_just_now_with_either_secret() -> None:
    header = signature([NEW, OLD], _now(), BODY)
    assert [check()(header, BODY, secret) for secret in (NEW, OLD)] == [True, True]


def test_its_code_takes_nothing_else() -> None:
    genuine, now = check(), _now()
    header = signature([NEW], now, BODY)
    assert not genuine(header, BODY, OLD)
    assert not genuine(header, BODY + b" ", NEW)
    assert not genuine(header.replace(f"t={now}", f"t={now + 1}"), BODY, NEW)
    assert not genuine(signature([NEW], now - 301, BODY), BODY, NEW)
    assert not genuine("", BODY, NEW)
    assert not genuine("nonsense", BODY, NEW)
    assert not genuine("t=\u00e9,v1=\u00e9", BODY, NEW)


def test_the_fields_on_the_page_are_those_of_a_body() -> None:
    delivery = Delivery(
        target="x", seq=1, at="at", status="success", task_id="t", run_id="r", next_at="at"
    )
    table = repository.section(PAGE, "What is sent")
    listed = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", table, re.MULTILINE)
    named = [name for cell in listed for name in re.findall(r"`(\w+)`", cell)]
    assert named == list(json.loads(body(delivery, None)))


def test_the_header_on_the_page_is_the_one_that_is_sent() -> None:
    assert f"`{HEADER}`" in PAGE


def test_the_example_can_be_used(tmp_path: Path) -> None:
    (tmp_path / "push-secrets").write_text("0123456789abcdef\n", "utf-8")
    found = parsed(tmp_path, block("yaml"), environ={"DESK_SECRET": "fedcba9876543210"})
    assert [each.target.name for each in found.push] == ["ops", "research-desk"]


def test_every_key_of_a_target_is_on_the_page_of_settings(tmp_path: Path) -> None:
    text = (
        "push: [{name: a, url: 'http://a.example/', secret_env: S, odd: 1}]\n"
        "push_allow: [a.example]\n"
    )
    (tmp_path / "c.yaml").write_text(text, "utf-8")
    complaint = next(p for p in problems(tmp_path, text) if "unknown key" in p)
    assert set(rows("Push")) == known(complaint)
