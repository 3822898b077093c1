"""What a request to the admin plane is held to is the route that serves it, whatever its target,
method and fields say (failures.md 23)."""

from pathlib import Path

import pytest
from tests.integration.admin.rig import TOKENS, guarded

TRICKS = [
    "/healthz/../v1/tasks",
    "/healthz/..%2fv1/tasks",
    "/v1/../metrics",
    "/v1/%2e%2e/metrics",
    "//v1/tasks",
    "/v1//tasks",
    "/v1/tasks/",
    "/v1/tasks%2f..",
    "/v1/tasks/..;/healthz",
    "/v1/tasks;/healthz",
    "/v1/tasks?x=/healthz",
    "/v1/tasks/%2e%2e%2fhealthz",
    "/%76%31/tasks",
    "/V1/tasks",
    "/v1/tasks%00",
    "/v1\\tasks",
    "/healthz/",
    "/healthz/v1/tasks",
    "/healthz%2fv1%2ftasks",
    "/unknown",
    "/",
    "http://localhost/v1/tasks",
    "http://localhost/healthz/../v1/tasks",
    "http://user:pass@localhost/v1/tasks",
    "HTTP://127.0.0.1:1/metrics",
]
METHODS = ["OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "GETT", "get", "POST"]
OVERRIDES = (
    "X-HTTP-Method-Override: GET\r\nX-HTTP-Method: GET\r\nX-Method-Override: GET\r\n"
    "X-Original-URL: /healthz\r\nX-Rewrite-URL: /healthz\r\nX-Forwarded-Host: localhost\r\n"
    "X-Forwarded-For: 127.0.0.1\r\nForwarded: for=127.0.0.1\r\n"
)


@pytest.mark.parametrize("trick", TRICKS)
async def test_no_spelling_of_a_path_leads_past_the_door(tmp_path: Path, trick: str) -> None:
    async with guarded(tmp_path) as at:
        for fields in ("", OVERRIDES):
            assert (await at.send("GET", trick, fields=fields)).status in (400, 401)
            answer = await at.send("POST", trick, TOKENS["viewer"], body={}, fields=fields)
            assert answer.status in (400, 403, 404, 405)


async def test_what_a_target_leads_to_is_served_to_who_may_ask_for_it(tmp_path: Path) -> None:
    async with guarded(tmp_path) as at:
        for path in ("http://localhost/v1/tasks", "/%76%31/tasks", "/v1/tasks?limit=1"):
            assert (await at.send("GET", path, TOKENS["viewer"])).status == 200


@pytest.mark.parametrize("method", METHODS)
async def test_no_method_leads_past_the_door(tmp_path: Path, method: str) -> None:
    async with guarded(tmp_path) as at:
        for fields in ("", OVERRIDES):
            answer = await at.send(method, "/v1/tasks", fields=fields)
            assert answer.status in (400, 401)
            answer = await at.send(method, "/v1/policy/reload", TOKENS["viewer"], fields=fields)
            assert answer.status in (400, 403, 405)
        assert [each["detail"]["outcome"] for each in await at.acts()] in ([], ["denied"])


HOSTS = [
    "localhost:4000/#@evil",
    "localhost/healthz",
    "localhost/healthz#",
    "localhost?/healthz",
    "localhost%2fhealthz",
    "user:pass@localhost",
    "localhost, evil.example",
    "[::1]",
    "",
    "LOCALHOST:1",
]


@pytest.mark.parametrize("host", HOSTS)
async def test_a_host_opens_no_door(tmp_path: Path, host: str) -> None:
    async with guarded(tmp_path) as at:
        for path in ("/v1/tasks", "/metrics", "/openapi.json"):
            assert (await at.send("GET", path, host=host)).status in (400, 401, 421)
            two = await at.send("GET", path, fields="Host: localhost\r\n", host=host)
            assert two.status in (400, 401, 421)
