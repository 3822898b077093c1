"""A whole sidecar, a fake agent server, and a receiver that wants to know."""

import hashlib
import hmac
from pathlib import Path
from typing import Any

from tests.integration.tools.rig import Bench, bench
from tests.support.receiver import Pushed, Receiver
from tests.support.waiting import eventually, eventually_got

WITHIN = 30.0
OLD, NEW = "an-old-secret-long-enough", "a-new-secret-long-enough"


def config(folder: Path, receiver: Receiver, **more: Any) -> dict[str, Any]:
    secrets = folder / "secrets"
    if not secrets.exists():
        secrets.write_text(OLD, "utf-8")
    target = {"name": "ops", "url": receiver.url, "secret_file": str(secrets)}
    return {
        "push": [{**target, **more}],
        "push_allow": ["127.0.0.1"],
        "store": f"sqlite:///{folder / 'books.db'}",
    }


def is_signed(pushed: Pushed, *secrets: str) -> bool:
    """By each of them, in any order, and by nobody else."""
    at, *marks = pushed.headers["x-sidecar-signature"].split(",")
    signed = at.removeprefix("t=").encode() + b"." + pushed.body
    right = {
        "v1=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets
    }
    return len(marks) == len(secrets) and set(marks) == right


async def metric(at: Bench, line: str) -> str:
    """The value of a sample."""
    page = (await at.admin.call("GET", "/metrics")).body.decode()
    return next((each.split()[-1] for each in page.splitlines() if each.startswith(line)), "")


async def test_ends_and_questions_are_told_with_the_task_as_it_is_shown(tmp_path: Path) -> None:
    async with Receiver().running() as receiver:
        async with bench(tmp_path, **config(tmp_path, receiver)) as at:
            ids = {
                agent: await at.start(agent, "find the secret plans")
                for agent in ("researcher", "failing", "asker")
            }
            cancelled = await at.start("hang")
            await at.call("cancel_async_task", task_id=cancelled)
            await eventually(lambda: len(receiver.pushed) >= 4, within=WITHIN)
            told = {pushed.told["task_id"]: pushed.told for pushed in receiver.pushed}
            assert {task_id: one["status"] for task_id, one in told.items()} == {
                ids["researcher"]: "success",
                ids["failing"]: "error",
                ids["asker"]: "waiting",
                cancelled: "cancelled",
            }
            assert all(is_signed(pushed, OLD) for pushed in receiver.pushed)
            one = told[ids["failing"]]
            shown = await at.task(ids["failing"])
            moving = {"last_checked_at", "polls", "usage", "runs"}
            for key in shown.keys() - moving:
                assert one["task"][key] == shown[key], key
            assert [run["fingerprint"] for run in one["task"]["runs"]] == [None]
            assert one["task"]["purpose"] == "find the secret plans"
            assert b"done" not in b"".join(pushed.body for pushed in receiver.pushed)
            await eventually_got(
                lambda: metric(
                    at, 'subagent_push_deliveries_total{result="delivered",target="ops"}'
                ),
                lambda value: value == "4.0",
                within=WITHIN,
            )
        assert len(receiver.pushed) == 4


async def test_what_is_not_kept_is_not_told(tmp_path: Path) -> None:
    async with Receiver().running() as receiver:
        values = {**config(tmp_path, receiver, agents=["fail*"]), "purpose": False}
        async with bench(tmp_path, **values) as at:
            await at.start("researcher", "find the secret plans")
            await at.start("failing", "find the secret plans")
            await eventually(lambda: receiver.pushed, within=WITHIN)
    (pushed,) = receiver.pushed
    assert pushed.told["task"]["agent_name"] == "failing"
    assert b"secret plans" not in pushed.body


async def test_a_restart_and_a_change_of_secrets_lose_nothing(tmp_path: Path) -> None:
    receiver = Receiver(answers=[503])
    async with receiver.running():
        async with bench(tmp_path, **config(tmp_path, receiver)) as at:
            first = await at.start("failing")
            await eventually(lambda: receiver.pushed, within=WITHIN)
            await eventually_got(
                lambda: metric(at, 'subagent_push_failures_total{target="ops"}'),
                lambda value: value == "1.0",
                within=WITHIN,
            )
            assert await metric(at, 'subagent_push_waiting{target="ops"}') == "1.0"
        (tmp_path / "secrets").write_text(f"{NEW}\n{OLD}\n", "utf-8")
        async with bench(tmp_path, **config(tmp_path, receiver)) as at:
            await eventually(lambda: len(receiver.pushed) == 2, within=WITHIN)
            (tmp_path / "secrets").write_text(NEW, "utf-8")
            second = await at.start("failing")
            await eventually(lambda: len(receiver.pushed) == 3, within=WITHIN)
    tries, ends = receiver.pushed[:2], [pushed.told["task_id"] for pushed in receiver.pushed]
    assert ends == [first, first, second]
    assert tries[0].told["id"] == tries[1].told["id"]
    assert is_signed(tries[0], OLD)
    assert is_signed(tries[1], NEW, OLD)
    assert is_signed(receiver.pushed[2], NEW)
