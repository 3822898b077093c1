"""`make setup`: what it takes over from the user's settings, and what it accepts as a uv or pip."""

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from scripts import bootstrap

MIRROR = "https://mirror.example/simple"


def environment(
    variables: Mapping[str, str], pip_conf: str = "", *, folder: Path
) -> dict[str, str]:
    file = folder / "pip.conf"
    file.write_text(pip_conf)
    return bootstrap.environment(variables, [file, folder / "missing.conf"])


def test_the_index_of_pips_file_becomes_the_index_of_uv(tmp_path: Path) -> None:
    env = environment({}, f"[global]\nindex-url = {MIRROR}\n", folder=tmp_path)
    assert env["UV_DEFAULT_INDEX"] == MIRROR


PIP_SETTINGS = [
    ("index-url", MIRROR, "UV_DEFAULT_INDEX", MIRROR),
    ("index_url", MIRROR, "UV_DEFAULT_INDEX", MIRROR),
    ("extra-index-url", f"\n  {MIRROR}\n  {MIRROR}/2", "UV_INDEX", f"{MIRROR} {MIRROR}/2"),
    ("trusted-host", "mirror.example", "UV_INSECURE_HOST", "mirror.example"),
    ("cert", "/etc/ca.pem", "SSL_CERT_FILE", "/etc/ca.pem"),
    ("proxy", "http://proxy.example:3128", "ALL_PROXY", "http://proxy.example:3128"),
    ("index-url", "https://ann:p%40ss@mirror.example/", "UV_DEFAULT_INDEX", None),
]


@pytest.mark.parametrize(("option", "value", "variable", "expected"), PIP_SETTINGS)
def test_a_setting_of_pip_reaches_uv(
    tmp_path: Path, option: str, value: str, variable: str, expected: str | None
) -> None:
    env = environment({}, f"[global]\n{option} = {value}\n", folder=tmp_path)
    assert env[variable] == (expected or value)


def test_pips_variable_is_stronger_than_its_file(tmp_path: Path) -> None:
    variables = {"PIP_INDEX_URL": MIRROR}
    env = environment(variables, "[global]\nindex-url = https://other\n", folder=tmp_path)
    assert env["UV_DEFAULT_INDEX"] == MIRROR


def test_pips_section_for_install_is_stronger_than_the_global_one(tmp_path: Path) -> None:
    text = f"[install]\nindex-url = {MIRROR}\n[global]\nindex-url = https://other\n"
    assert environment({}, text, folder=tmp_path)["UV_DEFAULT_INDEX"] == MIRROR


@pytest.mark.parametrize("variable", bootstrap.UV_INDEX_VARIABLES)
def test_an_index_meant_for_uv_is_not_replaced_by_pips(tmp_path: Path, variable: str) -> None:
    variables = {variable: "https://for-uv", "PIP_INDEX_URL": MIRROR}
    env = environment(variables, folder=tmp_path)
    assert MIRROR not in [env[name] for name in bootstrap.UV_INDEX_VARIABLES if name in env]


@pytest.mark.parametrize("url", ["https://pypi.org/simple", "https://pypi.org/simple/"])
def test_pypi_itself_is_no_other_index(tmp_path: Path, url: str) -> None:
    assert "UV_DEFAULT_INDEX" not in environment({"PIP_INDEX_URL": url}, folder=tmp_path)


@pytest.mark.parametrize("name", bootstrap.DIVERTING)
def test_nothing_in_the_shell_sends_the_install_elsewhere(tmp_path: Path, name: str) -> None:
    env = environment({name: "/elsewhere"}, folder=tmp_path)
    assert name not in env
    assert env["UV_PROJECT_ENVIRONMENT"] == str(bootstrap.VENV)


def test_a_broken_file_of_pip_is_named(tmp_path: Path) -> None:
    with pytest.raises(bootstrap.SetupError, match=r"pip\.conf"):
        environment({}, "index-url = x\n", folder=tmp_path)


UV_VERSIONS = [
    ("0.9.0", True),
    ("0.13.9", True),
    ("0.99.0", True),
    ("0.8.24", False),
    ("1.0.0", False),
]


@pytest.mark.parametrize(("version", "fits"), UV_VERSIONS)
def test_a_uv_is_used_when_it_is_in_range(version: str, fits: bool) -> None:
    assert bootstrap.in_range(version, ">=0.9,<1") is fits


def test_the_project_says_which_uv_it_works_with() -> None:
    low, high = bootstrap.uv_range().split(",<")
    assert bootstrap.numbers(low) < bootstrap.numbers(high)


TOO_NEW = f"&gt;={sys.version_info[0]}.{sys.version_info[1] + 1}"
PAGE = f"""<!DOCTYPE html><html><body>
<a href="../../f/pip-9.0.1-py2.py3-none-any.whl#sha256=aa">old</a>
<a href="../../f/pip-25.10-py3-none-any.whl#sha256=bb" data-requires-python="&gt;=3.9">this</a>
<a href="../../f/pip-25.9-py3-none-any.whl#sha256=cc">older</a>
<a href="../../f/pip-25.11-py3-none-any.whl#sha256=dd" data-yanked="broken">yanked</a>
<a href="../../f/pip-26.0b1-py3-none-any.whl#sha256=ee">not yet released</a>
<a href="../../f/pip-99.0-py3-none-any.whl#sha256=ff" data-requires-python="{TOO_NEW}">later</a>
<a href="../../f/pip-99.1.tar.gz#sha256=00">source</a>
</body></html>"""


def test_the_newest_wheel_of_pip_that_runs_here_is_taken() -> None:
    assert bootstrap.newest_pip(PAGE) == "../../f/pip-25.10-py3-none-any.whl#sha256=bb"


def test_an_index_without_pip_offers_none() -> None:
    assert bootstrap.newest_pip("<html><body>nothing</body></html>") is None


def test_a_wheel_of_pip_comes_from_the_users_index(tmp_path: Path) -> None:
    env = {"UV_DEFAULT_INDEX": "ftp://mirror.example/simple"}
    with pytest.raises(bootstrap.SetupError, match="not a web address: ftp"):
        bootstrap.download_pip(tmp_path, env)
