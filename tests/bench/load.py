"""wrk, and what it says."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .rig import START_BODY, Server

_REQUESTS = re.compile(r"(\d+) requests in")
_ERRORS = re.compile(r"Non-2xx or 3xx responses: (\d+)")
_SOCKET_ERRORS = re.compile(r"Socket errors: (.*)")
_PERCENTILE = re.compile(r"(50|99)%\s+([\d.]+)(us|ms|s)")
_UNIT_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0}

# Every request asks after another run of another thread, as a fleet of supervisors does.
_CHECK = """
local n = 0
request = function()
  n = n + 1
  local id = string.format("%012x", n % 500)
  return wrk.format("GET", "/threads/01a2064f-5864-7545-89d1-" .. id ..
                    "/runs/01a2064f-5871-7040-883a-" .. id)
end
"""
_START = """
local body = [==[%s]==]
local n = 0
wrk.headers["Content-Type"] = "application/json"
request = function()
  n = n + 1
  -- Ids grow with time and end at random, like langgraph's UUIDv7.
  return wrk.format("POST", string.format("/threads/%%08x-%%04x-7000-8000-%%06x%%06x/runs",
                    os.time(), n %% 65536, math.random(0, 16777215), math.random(0, 16777215)),
                    nil, body)
end
init = function() math.randomseed(os.time()) end
"""


@dataclass(frozen=True)
class Load:
    requests: int
    p50_ms: float
    cpu_us: float
    """User + system time of the server per request, in microseconds."""
    p99_ms: float


def script(folder: Path, kind: str) -> Path:
    path = folder / f"{kind}.lua"
    path.write_text(_CHECK if kind == "check" else _START % START_BODY)
    return path


def wrk(server: Server, lua: Path, *, connections: int, seconds: int) -> Load:
    """Load `server` and say what a request cost it. Raises on any failed request."""
    before = server.cpu_s()
    text = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "--latency", "-s", str(lua), server.url],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    used = server.cpu_s() - before
    if found := _ERRORS.search(text) or _SOCKET_ERRORS.search(text):
        raise RuntimeError(f"{server.name}: {found[0]}")
    requests = int(_REQUESTS.search(text)[1])  # type: ignore[index]
    late = {which: float(n) * _UNIT_MS[unit] for which, n, unit in _PERCENTILE.findall(text)}
    return Load(requests, late["50"], used / requests * 1e6, late["99"])
