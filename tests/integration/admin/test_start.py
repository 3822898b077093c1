"""What the command says of who gets in at the admin plane, before it serves anybody."""

import pytest
from click.testing import CliRunner, Result

from subagent_sidecar.__main__ import main
from subagent_sidecar.config.admin import VARIABLE

GOOD = "correct-horse-battery"
ELSEWHERE = ("--admin-listen", "0.0.0.0:8461")


def check(*args: str, **environ: str) -> Result:
    args = ("check", "--upstream", "http://127.0.0.1:2024", *args)
    return CliRunner().invoke(main, args, env={VARIABLE: None, **environ})


def test_who_gets_in_is_told() -> None:
    assert "admin plane: everybody on this machine is an admin there" in check().stdout
    assert "admin plane: tokens of admin (admin)\n" in check(**{VARIABLE: GOOD}).stdout


def test_tokens_that_would_cross_a_network_in_the_clear_are_warned_of() -> None:
    told = "cross the network unencrypted (http://0.0.0.0:8461): set tls_cert"
    assert told in check(*ELSEWHERE, **{VARIABLE: GOOD}).stdout
    assert "unencrypted" not in check(**{VARIABLE: GOOD}).stdout


def test_keys_that_everybody_can_make_are_warned_of() -> None:
    told = "warning: supervisors need keys, and whoever is on this machine can make some"
    assert told in check("--auth", "on").stdout
    assert told not in check("--auth", "on", **{VARIABLE: GOOD}).stdout
    assert told not in check().stdout


@pytest.mark.parametrize("environ", [{}, {VARIABLE: "hunter2"}, {VARIABLE: ""}])
def test_without_a_good_token_it_listens_for_nobody_elsewhere(environ: dict[str, str]) -> None:
    result = check(*ELSEWHERE, **environ)
    assert (result.exit_code, result.stdout) == (64, "")
    assert VARIABLE in result.stderr and result.stderr.count("\n") == 1
    assert "hunter2" not in result.stderr
