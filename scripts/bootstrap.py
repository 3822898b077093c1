"""Make `.venv` from the lock file with nothing but this Python: `make setup` and `make lock`.

First a uv that is new enough: our own in `.uv`, else the one on PATH, else a new one from the
package index, installed by whichever pip can be had. Then a locked install.

The index is the user's. uv does not read pip's settings, so they are handed over to it. The lock
file names PyPI, and uv calls it outdated where another index takes PyPI's place; then the locked
versions are installed from that index, still checked against the locked hashes.

Standard library only: this runs before anything is installed.
"""

import configparser
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urldefrag, urljoin, urlsplit
from urllib.request import Request, urlopen

ROOT = Path(__file__).resolve().parent.parent
OWN_UV = ROOT / ".uv"
VENV = ROOT / ".venv"
PYPI = "https://pypi.org/simple"

PIP_TO_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}
UV_INDEX_VARIABLES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL")

# Settings of the caller's shell that would send our installs elsewhere.
DIVERTING = ("VIRTUAL_ENV", "CONDA_PREFIX", "UV_PROJECT", "UV_FROZEN", "UV_LOCKED", "UV_NO_SYNC")

Environment = dict[str, str]


class SetupError(Exception):
    """What is missing and what to do about it, in one sentence."""


def main(arguments: Sequence[str]) -> int:
    """Without arguments: set up. With `lock [options of uv lock]`: make the lock file."""
    try:
        uv, env = ready_uv()
        if arguments[:1] == ["lock"]:
            # Always against PyPI: the lock file must not name one person's index.
            run([uv, "lock", *arguments[1:]], with_pypi_only(env))
        else:
            install_locked(uv, env)
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    return 0


def ready_uv() -> tuple[str, Environment]:
    """A uv that works with this project, and the environment to run it in."""
    os.chdir(ROOT)
    env = environment(os.environ, pip_config_files(os.environ))
    return find_uv(env) or install_uv(env), env


# --- the user's index -------------------------------------------------------------------------


def pip_config_files(environ: Mapping[str, str]) -> list[Path]:
    """Where pip looks for its settings, weakest first."""
    if environ.get("PIP_CONFIG_FILE") == os.devnull:
        return []
    home = Path.home()
    config_home = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    files = [
        Path("/etc/xdg/pip/pip.conf"),
        Path("/etc/pip.conf"),
        Path("/Library/Application Support/pip/pip.conf"),
        home / ".pip/pip.conf",
        home / "Library/Application Support/pip/pip.conf",
        config_home / "pip/pip.conf",
        Path(sys.prefix) / "pip.conf",
    ]
    named = environ.get("PIP_CONFIG_FILE")
    return [*files, Path(named)] if named else files


def pip_settings(environ: Mapping[str, str], files: Iterable[Path]) -> dict[str, str]:
    """The settings of pip that matter here: files, then `PIP_*` variables over them."""
    found: dict[str, str] = {}
    for path in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError) as error:
            raise SetupError(f"pip's settings in {path} cannot be read: {error}") from error
        for section in ("global", "install"):
            if parser.has_section(section):
                found.update({k.replace("_", "-"): v for k, v in parser.items(section)})
    for option in PIP_TO_UV:
        if value := environ.get("PIP_" + option.upper().replace("-", "_")):
            found[option] = value
    return {option: " ".join(found[option].split()) for option in PIP_TO_UV if found.get(option)}


def environment(environ: Mapping[str, str], pip_files: Iterable[Path]) -> Environment:
    """What pip and uv run with: the user's index and certificates, this Python, this checkout."""
    env = {name: value for name, value in environ.items() if name not in DIVERTING}
    uv_has_index = any(env.get(name) for name in UV_INDEX_VARIABLES)
    for option, value in pip_settings(environ, pip_files).items():
        if option.endswith("index-url") and (uv_has_index or value.rstrip("/") == PYPI):
            continue
        env.setdefault(PIP_TO_UV[option], value)
    return env | {
        "UV_PYTHON": sys.executable,
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_PROJECT_ENVIRONMENT": str(VENV),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_REQUIRE_VIRTUALENV": "0",
        "PIP_USER": "0",
    }


def with_pypi_only(env: Environment) -> Environment:
    """The same environment as if nobody had configured an index."""
    neutral = {name: value for name, value in env.items() if name not in UV_INDEX_VARIABLES}
    return neutral | {"UV_NO_CONFIG": "1"}


# --- uv ---------------------------------------------------------------------------------------


def uv_range() -> str:
    """Which uv this project works with, as `pyproject.toml` says: ">=A.B,<C"."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return str(settings["tool"]["uv"]["required-version"])


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def in_range(version: str, wanted: str) -> bool:
    """Whether `version` lies in a range of the form ">=A.B,<C"."""
    low, high = wanted.split(",<")
    return numbers(low) <= numbers(version) < numbers(high)


def find_uv(env: Environment) -> str | None:
    """A uv that is there already, runs and is in range."""
    for command in (str(OWN_UV / "bin" / "uv"), shutil.which("uv")):
        if command is None or not Path(command).exists():
            continue
        answer = subprocess.run([command, "--version"], env=env, capture_output=True, text=True)
        version = re.search(r"\d+\.\d+\.\d+", answer.stdout)
        if answer.returncode == 0 and version and in_range(version[0], uv_range()):
            return command
    return None


def install_uv(env: Environment) -> str:
    """Install uv into `.uv`, where it is nobody else's."""
    print("setup: installing uv into .uv", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        request = ["install", "--quiet", "--upgrade", "--target", str(OWN_UV), f"uv{uv_range()}"]
        answer = subprocess.run(
            [*find_pip(Path(scratch), env), *request], env=env, capture_output=True, text=True
        )
    if answer.returncode == 0 and (uv := find_uv(env)):
        return uv
    raise SetupError(
        f"uv could not be installed from the package index ({last_line(answer.stderr)}):"
        " check the network and pip's index settings, or put a uv on PATH"
    )


def last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[-1]


def find_pip(scratch: Path, env: Environment) -> list[str]:
    """How to run pip here. Distributions ship Python without pip, without ensurepip or both."""
    if succeeds([sys.executable, "-m", "pip", "--version"], env):
        return [sys.executable, "-m", "pip"]
    venv = scratch / "venv"
    if succeeds([sys.executable, "-m", "venv", str(venv)], env):
        return [str(venv / "bin" / "python"), "-m", "pip"]
    # A wheel of pip runs as it is, without being installed.
    return [sys.executable, str(download_pip(scratch, env) / "pip")]


class _Links(HTMLParser):
    """The links of an index page, with the Python versions each one is for."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "a" and (href := given.get("href")) and "data-yanked" not in given:
            self.found.append((href, given.get("data-requires-python") or ""))


def newest_pip(page: str) -> str | None:
    """The link of the newest released wheel of pip on an index page that runs on this Python."""
    links = _Links()
    links.feed(page)
    wheels: dict[tuple[int, ...], str] = {}
    for href, needs in links.found:
        name = urlsplit(href).path.rsplit("/", 1)[-1]
        release = re.fullmatch(r"pip-([\d.]+)-py\d[.py\d]*-none-any\.whl", name)
        oldest = re.search(r">=\s*(\d+\.\d+)", needs)
        if release and (not oldest or numbers(oldest[1]) <= sys.version_info[:2]):
            wheels[numbers(release[1])] = href
    return wheels[max(wheels)] if wheels else None


def download_pip(scratch: Path, env: Environment) -> Path:
    """A wheel of pip from the index, checked against the hash in its link."""
    index = (env.get("UV_DEFAULT_INDEX") or env.get("UV_INDEX_URL") or PYPI).rstrip("/")
    try:
        page_url, page = _get(f"{index}/pip/")
        link = newest_pip(page.decode())
        if link is None:
            raise SetupError(f"there is no pip on {index}: put a uv on PATH, or install pip")
        url, fragment = urldefrag(urljoin(page_url, link))
        _, wheel = _get(url)
    except (OSError, ValueError) as error:
        raise SetupError(
            f"Python has no pip, and the package index did not answer ({error}):"
            " check the network, or install pip or uv"
        ) from error
    if fragment.startswith("sha256=") and hashlib.sha256(wheel).hexdigest() != fragment[7:]:
        raise SetupError(f"{url} is not what the index says it is: its sha256 differs")
    target = scratch / url.rsplit("/", 1)[-1]
    target.write_bytes(wheel)
    return target


def _get(url: str) -> tuple[str, bytes]:
    """The body behind an http(s) address, and the address it finally came from."""
    if urlsplit(url).scheme not in {"http", "https"}:
        raise ValueError(f"not a web address: {urlsplit(url).scheme}")
    with urlopen(Request(url, headers={"Accept": "text/html, */*"}), timeout=60) as answer:
        return str(answer.url), bytes(answer.read())


# --- the packages -----------------------------------------------------------------------------


def install_locked(uv: str, env: Environment) -> None:
    """Make `.venv` hold exactly what the lock file says, and this checkout in editable form."""
    print("setup: installing the locked packages into .venv", flush=True)
    check = [uv, "lock", "--check", "--offline", "--quiet"]
    if succeeds(check, env):
        run([uv, "sync", "--locked", "--all-extras", *quiet()], env)
    elif succeeds(check, with_pypi_only(env)):
        install_from_other_index(uv, env)
    else:
        raise SetupError("uv.lock does not fit pyproject.toml: run `make lock`")


def install_from_other_index(uv: str, env: Environment) -> None:
    """The same packages by the same hashes, from wherever the user's index has them."""
    with tempfile.TemporaryDirectory() as scratch:
        wanted = str(Path(scratch) / "requirements.txt")
        export = [uv, "export", "--frozen", "--all-extras", "--quiet", "--output-file", wanted]
        run(export, with_pypi_only(env))
        run([uv, "venv", "--allow-existing", "--quiet", str(VENV)], env)
        sync = [uv, "pip", "sync", "--python", str(VENV), "--index-strategy", "unsafe-best-match"]
        run([*sync, *quiet(), wanted], env)


def quiet() -> list[str]:
    """A person sees progress; a log is spared one line per package."""
    return [] if sys.stderr.isatty() else ["--quiet"]


def succeeds(command: Sequence[str], env: Environment) -> bool:
    return subprocess.run(command, env=env, capture_output=True).returncode == 0


def run(command: Sequence[str], env: Environment) -> None:
    if subprocess.run(command, env=env).returncode != 0:
        raise SetupError(f"`{' '.join(command[:3])}` failed: see above")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
