"""Processes and measuring: nginx, the two proxies, wrk, and CPU time from /proc."""

import contextlib
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.support.ports import free_port

HERE = Path(__file__).parent
TICK = os.sysconf("SC_CLK_TCK")
NEEDED = {"nginx": "nginx-light", "wrk": "wrk"}

RUN = (
    '{"run_id":"%s","thread_id":"$1",'
    '"assistant_id":"c926ac5a-b04e-5949-878a-8e4830d4338b","status":"%s",'
    '"metadata":{"created_by":"system","graph_id":"researcher"},'
    '"created_at":"2026-11-23T02:49:53.011394+00:00","multitask_strategy":"enqueue",'
    '"kwargs":{"input":{"messages":[{"role":"user","content":"%s"}]}}}'
)
_BYTES = 830
_ID = 36


def _run_body(run_id: str, id_length: int, status: str) -> str:
    """A run as nginx answers it: `_BYTES` on the wire, where `run_id` has `id_length`."""
    bare = len(RUN % ("", status, "")) - len("$1") + _ID + id_length
    return RUN % (run_id, status, "x" * (_BYTES - bare))


# An id that grows with time, like a UUIDv7; and whichever was asked for.
NEW_RUN = _run_body("$msec-$request_id", 47, "pending")
KNOWN_RUN = _run_body("$2", _ID, "running")
START_BODY = (
    '{"input":{"messages":[{"role":"user","content":"%s"}]},"stream_mode":"values",'
    '"stream_subgraphs":false,"stream_resumable":false,"config":{"configurable":'
    '{"deepagents_parent":{"thread_id":"sup-1"}}},"assistant_id":"researcher"}' % ("y" * 780)
)

NGINX_UPSTREAM = """
daemon off; master_process off; worker_processes 1; pid {dir}/up.pid; error_log {dir}/up.err;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 1000000; client_max_body_size 0;
  client_body_temp_path {dir}/b1; proxy_temp_path {dir}/p1; fastcgi_temp_path {dir}/f1;
  uwsgi_temp_path {dir}/u1; scgi_temp_path {dir}/s1;
  server {{ listen 127.0.0.1:{port} backlog=4096; default_type application/json;
    location ~ ^/threads/([^/]+)/runs/([^/]+)$ {{ return 200 '{known}'; }}
    location ~ ^/threads/([^/]+)/runs$ {{ return 200 '{new}'; }}
    location / {{ return 200 '{{}}'; }} }} }}
"""
NGINX_PROXY = """
daemon off; master_process off; worker_processes 1; pid {dir}/px.pid; error_log {dir}/px.err;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 1000000; client_max_body_size 0; proxy_buffering {buf};
  client_body_temp_path {dir}/b2; proxy_temp_path {dir}/p2; fastcgi_temp_path {dir}/f2;
  uwsgi_temp_path {dir}/u2; scgi_temp_path {dir}/s2;
  upstream agent {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000; }}
  server {{ listen 127.0.0.1:{port} backlog=4096;
    location / {{ proxy_pass http://agent; proxy_http_version 1.1;
      proxy_set_header Connection ""; proxy_set_header Host $host; }} }} }}
"""


def missing_tools() -> str | None:
    """What to install, if something is missing."""
    packages = [package for tool, package in NEEDED.items() if shutil.which(tool) is None]
    if not packages:
        return None
    return f"the benchmark needs {', '.join(NEEDED)}: apt-get install {' '.join(packages)}"


def machine() -> str:
    """One line on what the figures were measured on."""
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


@dataclass
class Server:
    """A process that serves on `port`."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    admin_port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cpu_s(self) -> float:
        """User + system time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def rss_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sidecar-bench-") as name:
        yield Path(name)


@contextlib.contextmanager
def serving(
    name: str, port: int, command: Sequence[str], path: str = "/", *, admin_port: int = 0
) -> Iterator[Server]:
    """Run `command` until the block ends; ready when `path` answers."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _await_answer(process, f"http://127.0.0.1:{port}{path}")
        yield Server(name, port, process, admin_port)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def listening(name: str, port: int, command: Sequence[str]) -> Iterator[Server]:
    """`serving` for servers that answer nothing short: ready when the port is open."""
    process = subprocess.Popen(command)
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield Server(name, port, process)
    finally:
        process.kill()
        process.wait()


def _await_answer(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        try:
            urllib.request.urlopen(url, timeout=1).read()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"{url} did not answer")


def nginx(
    name: str, folder: Path, config: str, port: int
) -> contextlib.AbstractContextManager[Server]:
    path = folder / f"{name}.conf"
    path.write_text(config)
    return listening(name, port, ["nginx", "-c", str(path), "-p", str(folder)])


def nginx_upstream(folder: Path) -> contextlib.AbstractContextManager[Server]:
    port = free_port()
    text = NGINX_UPSTREAM.format(dir=folder, port=port, new=NEW_RUN, known=KNOWN_RUN)
    return nginx("upstream", folder, text, port)


def nginx_proxy(
    folder: Path, upstream: int, *, buffering: str = "on"
) -> contextlib.AbstractContextManager[Server]:
    port = free_port()
    text = NGINX_PROXY.format(dir=folder, port=port, upstream=upstream, buf=buffering)
    return nginx("nginx", folder, text, port)


def bare_proxy(upstream: int) -> contextlib.AbstractContextManager[Server]:
    port = free_port()
    command = [sys.executable, str(HERE / "bare_proxy.py"), "--port", str(port)]
    command += ["--upstream", f"http://127.0.0.1:{upstream}"]
    return serving("bare aiohttp", port, command)


def wide_policy(folder: Path) -> Path:
    """The bundled default, each rule of it, with limits that no benchmark meets."""
    rules = yaml.safe_load((HERE.parents[1] / "policies/default.yaml").read_text())
    for limit in rules["limits"]:
        for kind in ("concurrent", "starts", "duplicates"):
            if kind in limit:
                limit[kind] = 1_000_000_000
    path = folder / "wide.yaml"
    path.write_text(yaml.safe_dump(rules))
    return path


def sidecar(
    folder: Path,
    upstream: int,
    *,
    coalesce: str = "0",
    store: str | None = None,
    policy: str | None = None,
    name: str = "sidecar",
    otlp: str | None = None,
) -> contextlib.AbstractContextManager[Server]:
    """A sidecar with everything on, the default policy's rules among it (`policy` names another).
    Polls are not shared unless asked: sharing would make the proxy look better than it is. `otlp`
    is where traces go, if anywhere."""
    port, admin = free_port(), free_port()
    config = folder / f"sidecar-{port}.yaml"
    rules = policy or wide_policy(folder)
    traces = f"otlp_endpoint: {otlp}\n" if otlp else ""
    config.write_text(f"coalesce: {coalesce}\nlog_level: error\npolicy: {rules}\n{traces}")
    command = [sys.executable, "-m", "subagent_sidecar", "serve", "--config", str(config)]
    command += ["--upstream", f"http://127.0.0.1:{upstream}"]
    command += ["--listen", f"127.0.0.1:{port}", "--admin-listen", f"127.0.0.1:{admin}"]
    command += ["--store", store or f"sqlite:///{folder}/bench-{port}.db"]
    return serving(name, port, command, "/sidecar/health", admin_port=admin)
