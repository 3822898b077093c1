"""subagentctl and the supervisors' helper, against a sidecar with TLS."""

import asyncio
import ssl
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.integration.tls.rig import sidecar
from tests.support.certificates import Pki

from subagent_sidecar.__main__ import main
from subagent_sidecar.client import session_lease
from subagent_sidecar.client.calls import Caller, Failed, Place
from subagentctl.__main__ import cli


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SERVER", "TOKEN", "CA", "CERT", "KEY"):
        monkeypatch.delenv(f"SUBAGENTCTL_{name}", raising=False)


async def run(*args: str | Path, **environ: str) -> Result:
    words = [str(each) for each in args]
    return await asyncio.to_thread(CliRunner().invoke, cli, words, env=environ)


async def test_subagentctl_trusts_the_authority_it_is_told(tmp_path: Path, pki: Pki) -> None:
    pair = pki.pair("127.0.0.1")
    async with sidecar(tmp_path, tls_cert=str(pair.cert), tls_key=str(pair.key)) as at:
        told = await run("--server", at.admin_url, "--ca", pki.ca, "tasks")
        assert (told.exit_code, told.stderr) == (0, "")
        by_variable = await run("--server", at.admin_url, "tasks", SUBAGENTCTL_CA=str(pki.ca))
        assert by_variable.exit_code == 0
        told = await run("--server", at.admin_url, "tasks")
        assert (told.exit_code, told.stderr) == (
            3,
            f"subagentctl: what answers at {at.admin_url} has a certificate that is not trusted "
            "(unable to get local issuer certificate). Name the authority that signed it with "
            "--ca or SUBAGENTCTL_CA.\n",
        )


async def test_subagentctl_shows_a_certificate_where_it_must(tmp_path: Path, pki: Pki) -> None:
    pair, mine = pki.pair("127.0.0.1"), pki.pair("me")
    said = {"tls_cert": str(pair.cert), "tls_key": str(pair.key), "tls_client_ca": str(pki.ca)}
    async with sidecar(tmp_path, **said) as at:
        basic = ("--server", at.admin_url, "--ca", pki.ca)
        shown = await run(*basic, "--cert", mine.cert, "--key", mine.key, "tasks")
        assert (shown.exit_code, shown.stderr) == (0, "")
        assert (await run(*basic, "tasks")).exit_code == 3


async def test_the_tools_by_stdin_go_by_an_authority_and_show_a_certificate(
    tmp_path: Path, pki: Pki
) -> None:
    pair, mine = pki.pair("127.0.0.1"), pki.pair("me")
    said = {"tls_cert": str(pair.cert), "tls_key": str(pair.key), "tls_client_ca": str(pki.ca)}
    async with sidecar(tmp_path, **said) as at:
        program = ("-m", "subagent_sidecar", "mcp", "--server", at.data_url)
        shown = ("--ca", pki.ca, "--cert", mine.cert, "--key", mine.key)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *program, *shown),
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, complaint = await process.communicate()
        assert (process.returncode, complaint) == (0, b"")
        words = ["mcp", "--server", at.data_url]
        stranger = await asyncio.to_thread(CliRunner().invoke, main, words)
    assert stranger.exit_code == 69
    assert f"{at.data_url} has a certificate that is not trusted (" in stranger.stderr
    assert "; name the authority that signed it with --ca" in stranger.stderr


def test_the_tools_by_stdin_say_which_file_is_no_good(tmp_path: Path) -> None:
    words = ["mcp", "--ca", str(tmp_path / "no")]
    told = CliRunner().invoke(main, words)
    assert (told.exit_code, told.stderr) == (
        64,
        f"subagent-sidecar: --ca {tmp_path}/no cannot be read (no such file or directory)\n",
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--ca", "no"], "--ca no cannot be read (no such file or directory)."),
        (["--cert", "no"], "--cert no cannot be read (no such file or directory)."),
        (["--key", "1.key"], "--key is the key of a --cert, which is missing."),
        (["--ca", "1.key"], "--ca 1.key holds no certificate in PEM."),
        (["--cert", "1.crt"], "no certificate with its key in PEM in 1.crt and 1.crt."),
        (
            ["--cert", "1.crt", "--key", "2.key"],
            "the key does not belong to the certificate of --cert.",
        ),
    ],
)
async def test_files_that_cannot_be_used_are_a_matter_of_usage(
    tmp_path: Path, pki: Pki, words: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pki.pair("a"), pki.pair("b")
    monkeypatch.chdir(tmp_path / "pki")
    told = await run("--server", "https://127.0.0.1:1", *words, "tasks")
    assert (told.exit_code, told.stderr) == (2, f"subagentctl: {said}\n")


async def test_a_lease_is_kept_over_tls(tmp_path: Path, pki: Pki) -> None:
    pair = pki.pair("127.0.0.1")
    async with sidecar(tmp_path, tls_cert=str(pair.cert), tls_key=str(pair.key)) as at:

        def beat(context: ssl.SSLContext | None) -> bool:
            caller = Caller(Place.of(at.data_url), {}, context)
            try:
                return caller.heartbeat("s", lease_s=60, reopen=True, timeout_s=5.0).held
            finally:
                caller.close()

        assert await asyncio.to_thread(beat, pki.trusting())
        with pytest.raises(Failed, match="its certificate is not trusted: unable to get"):
            await asyncio.to_thread(beat, None)


async def test_a_block_hands_its_context_on(tmp_path: Path, pki: Pki) -> None:
    pair = pki.pair("127.0.0.1")
    async with sidecar(tmp_path, tls_cert=str(pair.cert), tls_key=str(pair.key)) as at:

        def held() -> None:
            with session_lease(at.data_url, "over-tls", ssl_context=pki.trusting()):
                pass  # the end of a session is waited for, and it is opened by it

        await asyncio.to_thread(held)
        told = await run("--server", at.admin_url, "--ca", pki.ca, "sessions", "--all")
        assert "over-tls" in told.stdout
