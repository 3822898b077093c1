"""What upstreams are shown of ours, and of their clients' fields, as the config file says it."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.settings import parsed, problems

from subagent_sidecar.config import UpstreamSettings

SECRET = "s3cr3t-canary"


def text_of(**body: Any) -> str:
    return yaml.safe_dump({"upstreams": {"a": {"url": "http://h", **body}}}, sort_keys=False)


def upstream(folder: Path, **body: Any) -> UpstreamSettings:
    (found,) = parsed(folder, text_of(**body), upstreams=(), environ={"KEY": SECRET}).upstreams
    return found


def problem(folder: Path, **body: Any) -> str:
    (found,) = problems(folder, text_of(**body), upstreams=(), environ={"KEY": SECRET, "NONE": ""})
    assert SECRET not in found
    return found


def test_a_credential_may_stand_in_a_file_beside_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "team"
    file.parent.mkdir()
    file.write_text(SECRET + "\n")
    headers = {"x-api-key": "${file:keys/team}", "authorization": f"Bearer ${{file:{file}}}"}
    found = upstream(tmp_path, headers={**headers, "x-plain": "p"})
    assert found.headers == (
        ("x-api-key", SECRET),
        ("authorization", f"Bearer {SECRET}"),
        ("x-plain", "p"),
    )
    assert [each.name for each in found.renewable] == ["x-api-key", "authorization"]
    assert SECRET not in repr(found)


def test_a_variable_may_be_called_one(tmp_path: Path) -> None:
    found = upstream(tmp_path, headers={"x-api-key": "Bearer ${env:KEY}"})
    assert found.headers == (("x-api-key", f"Bearer {SECRET}"),)


def test_a_variable_and_a_file_may_be_of_one_value(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("file")
    found = upstream(tmp_path, headers={"x-api-key": "<${KEY}|${file:f}>"})
    assert found.headers == (("x-api-key", f"<{SECRET}|file>"),)


# failures.md 24
@pytest.mark.parametrize("content", ["", f"{SECRET}\n{SECRET}", f"{SECRET}\x01", None])
def test_a_file_that_cannot_be_used_is_told_by_key_and_path(
    tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_text(content)
    told = problem(tmp_path, headers={"X-Api-Key": "${file:key}"})
    assert f"upstreams.a.headers: X-Api-Key: {file} " in told


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"x-api-key": SECRET}, "x-api-key: a credential does not stand in this file"),
        ({"Authorization": f"Bearer {SECRET}"}, "Authorization: a credential does not stand"),
        ({"cookie": f"a={SECRET}"}, "cookie: a credential does not stand"),
        ({"x-team-token": SECRET}, "x-team-token: a credential does not stand"),
        ({"x-api-key": "${NONE}"}, "x-api-key: the value is empty"),
        ({"x-api-key": "${KEY}", "X-API-KEY": "${KEY}"}, "X-API-KEY stands twice"),
        ({"x-api-key": "${file:a\0b}"}, "a path has no null characters"),
        ({"cookie": f"a=${{KEY}}; b=${{vault:{SECRET}}}"}, "a value has a `${` that is no ${VARI"),
        ({"x-team": f"${{{SECRET}"}, "a value has a `${` that is no ${VARIABLE}"),
        ({"x-team": "${file:}"}, "a value has a `${` that is no ${VARIABLE}"),
    ],
)
def test_what_is_no_credential_to_be_used_is_refused(
    tmp_path: Path, headers: dict[str, str], told: str
) -> None:
    assert f"upstreams.a.headers: {told}" in problem(tmp_path, headers=headers)


def test_what_is_no_secret_may_stand_in_the_file(tmp_path: Path) -> None:
    headers = {"x-auth-scheme": "langsmith", "x-tenant-id": "t", "x-team": "research"}
    assert dict(upstream(tmp_path, headers=headers).headers) == headers


def test_what_crosses_of_a_clients_is_all_unless_something_is_said(tmp_path: Path) -> None:
    silent = upstream(tmp_path)
    assert (silent.forward_headers, silent.pass_client_credentials) == (None, None)
    found = upstream(tmp_path, forward_headers=["X-Team-*"], pass_client_credentials=True)
    assert found.forward_headers is not None and found.forward_headers[0].fits("x-team-a")
    assert found.pass_client_credentials is True
    assert upstream(tmp_path, forward_headers=[]).forward_headers == ()


@pytest.mark.parametrize("given", ["x-a", [7], ["a b"], [""], {"x-a": 1}])
def test_an_allow_list_is_a_list_of_names(tmp_path: Path, given: Any) -> None:
    assert "must be a list of header names" in problem(tmp_path, forward_headers=given)


def test_whose_credentials_cross_is_said_by_true_or_false(tmp_path: Path) -> None:
    told = problem(tmp_path, pass_client_credentials="no")
    assert "upstreams.a.pass_client_credentials: must be true or false" in told
