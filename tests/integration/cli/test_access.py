"""Getting in: where a token comes from, and what is said where it does not do. Beside a sidecar
that really has tokens, for every command that asks one."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest
from tests.integration.admin.rig import TOKENS, WRONG, guarded
from tests.integration.cli.conftest import Run

from subagentctl.__main__ import cli
from subagentctl.testing import FakeAdmin, Reply

ID = "01a2064f-5864-7545-89d1-a55134a759fd"

# Every command, as it may be given. Those of the second list ask nobody.
ASKING = [
    "audit",
    "audit --adopt all",
    "budgets",
    "budgets raise usd s1 --usd 1",
    f"cancel {ID} --yes",
    "cancel --all --yes",
    f"check {ID}",
    "events",
    "events --follow",
    "freeze --all --yes",
    "keys list",
    "keys create team-a",
    "keys revoke team-a",
    "policy explain researcher",
    "policy reload",
    "policy replay strict",
    "policy show",
    "reap --dry-run",
    "reap",
    "report",
    "session end s1",
    "sessions",
    "start researcher text",
    f"task {ID}",
    "tasks",
    "tasks --watch",
    "tasks -o json",
    "tasks -o csv",
    f"trace {ID}",
    "unfreeze --all",
    f"update {ID} text",
]
SILENT = {"policy", "dashboards", "dashboards export", "policy validate"}


def every_command(group: click.Group = cli, before: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from every_command(command, f"{before}{name} ")
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield f"{before}{name}"


def test_every_command_is_tried_here() -> None:
    there_are = sorted(every_command(), key=len, reverse=True)
    tried = {next(c for c in there_are if f"{line} ".startswith(f"{c} ")) for line in ASKING}
    assert tried | SILENT == set(there_are)


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """The URL of a guarded admin plane, in a thread of its own."""
    ready, over = threading.Event(), asyncio.Event()
    urls: list[str] = []
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        async with guarded(folder) as at:
            urls.append(f"http://127.0.0.1:{at.front.admin_port}")
            loops.append(asyncio.get_running_loop())
            ready.set()
            await over.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(60)
        yield urls[0]
    finally:
        loops[0].call_soon_threadsafe(over.set)
        thread.join()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("tokens")) as url:
        yield url


@pytest.mark.parametrize("line", ASKING)
def test_without_a_good_token_every_command_says_so_in_one_sentence(
    line: str, server: str, run: Run
) -> None:
    given = {"SUBAGENTCTL_SERVER": server}
    none = run(*line.split(), **given)
    assert (none.exit_code, none.stdout) == (1, "")
    assert none.stderr == (
        f"subagentctl: {server} asks for a token. Set SUBAGENTCTL_TOKEN, or name a file that "
        "holds one with --token-file.\n"
    )
    wrong = run(*line.split(), SUBAGENTCTL_TOKEN=WRONG, **given)
    assert (wrong.exit_code, wrong.stdout) == (1, "")
    assert "does not accept this token" in wrong.stderr and wrong.stderr.count("\n") == 1
    assert WRONG not in wrong.output


def test_whose_role_does_not_do_is_told_which_one_would(server: str, run: Run) -> None:
    given = {"SUBAGENTCTL_SERVER": server, "SUBAGENTCTL_TOKEN": TOKENS["operator"]}
    result = run("policy", "reload", **given)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"subagentctl: {server} refused: this needs the role admin, and the token 'operator' has "
        "operator: use one that has it.\n"
    )
    assert run("tasks", **given).exit_code == 0


# Where it comes from


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name in ("near", "far"):
        (tmp_path / name).write_text(f"{name}-token\n", "utf-8")
    (tmp_path / "empty").write_text("\n", "utf-8")
    (tmp_path / "spaced").write_text("secret words\n", "utf-8")
    (tmp_path / "huge").write_text("x" * 9_999, "utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("args", "environ", "sent"),
    [
        ("--token-file {}/near tasks", {}, "near-token"),
        ("tasks --token-file {}/near", {}, "near-token"),
        ("tasks", {"SUBAGENTCTL_TOKEN_FILE": "{}/near"}, "near-token"),
        ("--token-file {}/near tasks", {"SUBAGENTCTL_TOKEN": "x"}, "near-token"),
        ("--token x tasks", {"SUBAGENTCTL_TOKEN_FILE": "{}/near"}, "x"),
        ("--token x tasks --token-file {}/near", {}, "near-token"),
        ("--token-file {}/far tasks --token-file {}/near", {}, "near-token"),
        ("--token-file {}/far tasks --token x", {}, "x"),
        ("tasks", {"SUBAGENTCTL_TOKEN": "x", "SUBAGENTCTL_TOKEN_FILE": "{}/near"}, "x"),
    ],
)
def test_the_nearest_token_is_sent(
    args: str, environ: dict[str, str], sent: str, files: Path, admin: FakeAdmin, run: Run
) -> None:
    given = {name: value.format(files) for name, value in environ.items()}
    assert run(*args.replace("{}", str(files)).split(), **given).exit_code == 0
    assert admin.requests[-1].headers["Authorization"] == f"Bearer {sent}"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ("--token-file {}/none tasks", "none cannot be read (no such file or directory)."),
        ("--token-file {} tasks", " cannot be read (is a directory)."),
        ("--token-file {}/empty tasks", "empty is empty."),
        ("--token-file {}/spaced tasks", "the token may hold only printable ASCII"),
        ("--token-file {}/huge tasks", "is too long for a token."),
        ("--token x --token-file {}/near tasks", "give --token or --token-file, not both."),
    ],
)
def test_what_is_no_token_is_exit_code_2_and_not_repeated(
    args: str, said: str, files: Path, admin: FakeAdmin, run: Run
) -> None:
    result = run(*args.replace("{}", str(files)).split())
    assert (result.exit_code, result.stdout, admin.requests) == (2, "", [])
    assert said in result.stderr and result.stderr.count("\n") == 1
    assert "secret words" not in result.stderr


def test_who_asks_nobody_needs_no_token(run: Run) -> None:
    result = run("policy", "show", "strict", SUBAGENTCTL_TOKEN_FILE="/nowhere")
    assert result.exit_code == 0


@pytest.mark.parametrize("line", ["tasks --watch", "events --follow"])
def test_a_token_that_is_taken_away_ends_what_is_watched(
    line: str, admin: FakeAdmin, run: Run
) -> None:
    gone = Reply(401, {"error": "token_needed", "message": "No."})
    replies = iter([None, gone])
    admin.script = lambda request: next(replies)
    result = run(*line.split(), "--token", "x")
    assert result.exit_code == 1
    assert result.stderr.startswith("subagentctl: ") and "does not accept this" in result.stderr
