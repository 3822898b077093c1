"""nginx as a plain reverse proxy, where there is one: a reading of HTTP that is not ours.

Waiting for the rest of a request it has the patience it has anywhere; a connection on which nothing
of a next request came is closed soon, so that tests can read to its end.
"""

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support import parts
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE_S

_CONFIG = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log crit;
events {{ }}
http {{
  access_log off; keepalive_timeout 300ms;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://127.0.0.1:{upstream}; proxy_http_version 1.1; proxy_next_upstream off;
    }}
  }}
}}
"""


@dataclass(frozen=True)
class Nginx:
    """Listens on `port`; passes everything on to `upstream`, where nothing need listen yet."""

    port: int
    upstream: int
    version: str


def program() -> str:
    """The path of nginx; skips where there is none."""
    found = shutil.which("nginx")
    if found is None:
        parts.missing("nginx", "there is no nginx: apt-get install nginx-light")
    return found


@contextmanager
def proxying(folder: Path) -> Iterator[Nginx]:
    """An nginx with nothing of the machine's own configuration, run as whoever runs the tests."""
    command = program()
    told = subprocess.run([command, "-v"], capture_output=True, text=True, check=True).stderr
    found = re.search(r"nginx/([\d.]+)", told)
    assert found, told
    nginx = Nginx(free_port(), free_port(), found[1])
    config = folder / "nginx.conf"
    config.write_text(
        _CONFIG.format(folder=folder, port=nginx.port, upstream=nginx.upstream), "utf-8"
    )
    with (folder / "start.log").open("wb") as log:
        process = subprocess.Popen([command, "-c", config, "-p", folder], stderr=log)
    try:
        _ready(process, nginx.port)
        yield nginx
    finally:
        process.kill()
        process.wait()


def _ready(process: subprocess.Popen[bytes], port: int) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up:
        assert process.poll() is None, f"nginx ended with {process.returncode}"
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.01)
    raise AssertionError("nginx does not listen")
