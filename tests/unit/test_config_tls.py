"""The settings that name certificates and keys."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.certificates import Pki
from tests.support.settings import parsed, problems

from subagent_sidecar.config import Settings
from subagent_sidecar.tls import ClientFiles, ServerFiles


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    """With the files `1.crt`, `1.key`, `2.crt`, `2.key` and `ca.pem` under `pki/`."""
    pki = Pki(tmp_path)
    pki.pair("localhost"), pki.pair("localhost")
    return pki


OWN = {"tls_cert": "pki/1.crt", "tls_key": "pki/1.key"}
ADMIN = {"admin_tls_cert": "pki/2.crt", "admin_tls_key": "pki/2.key"}


def listeners(folder: Path, said: Mapping[str, Any]) -> tuple[Any, Any]:
    found: Settings = parsed(folder, said)
    return found.tls, found.admin_tls


def files(folder: Path, number: int, *, ca: bool = False) -> ServerFiles:
    at = folder / "pki"
    client_ca = at / "ca.pem" if ca else None
    return ServerFiles(cert=at / f"{number}.crt", key=at / f"{number}.key", client_ca=client_ca)


def test_without_a_word_there_is_no_tls(tmp_path: Path) -> None:
    assert listeners(tmp_path, {}) == (None, None)


@pytest.mark.usefixtures("pki")
def test_one_certificate_serves_both_planes(tmp_path: Path) -> None:
    assert listeners(tmp_path, OWN) == (files(tmp_path, 1), files(tmp_path, 1))


@pytest.mark.usefixtures("pki")
def test_the_admin_plane_may_have_its_own_or_be_the_only_one(tmp_path: Path) -> None:
    assert listeners(tmp_path, OWN | ADMIN) == (files(tmp_path, 1), files(tmp_path, 2))
    assert listeners(tmp_path, ADMIN) == (None, files(tmp_path, 2))


@pytest.mark.usefixtures("pki")
def test_clients_may_have_to_show_certificates_on_both_planes_or_on_the_admin_plane(
    tmp_path: Path,
) -> None:
    both = listeners(tmp_path, OWN | {"tls_client_ca": "pki/ca.pem"})
    assert both == (files(tmp_path, 1, ca=True), files(tmp_path, 1, ca=True))
    admin = listeners(tmp_path, OWN | {"admin_tls_client_ca": "pki/ca.pem"})
    assert admin == (files(tmp_path, 1), files(tmp_path, 1, ca=True))


LISTENERS = [
    ({"tls_cert": "pki/1.crt"}, ["tls_cert: needs `tls_key`, too"]),
    ({"tls_key": "pki/1.key"}, ["tls_key: needs `tls_cert`, too"]),
    ({"admin_tls_key": "pki/1.key"}, ["admin_tls_key: needs `admin_tls_cert`, too"]),
    ({"tls_client_ca": "pki/ca.pem"}, ["tls_client_ca: needs `tls_cert` and `tls_key`"]),
    (OWN | {"tls_cert": 7}, ["tls_cert: must be the path of a file"]),
    (OWN | {"tls_cert": "no"}, ["tls_cert: {folder}/no cannot be read (no such file"]),
    (OWN | {"tls_key": "pki/2.key"}, ["tls_key: the key in {folder}/pki/2.key does not belong"]),
    (OWN | {"tls_client_ca": "pki/1.key"}, ["tls_client_ca: {folder}/pki/1.key holds no cert"]),
    (
        OWN | ADMIN | {"admin_tls_key": "pki/1.key"},
        ["admin_tls_key: the key in {folder}/pki/1.key does not belong"],
    ),
    (
        OWN | {"tls_key": "pki/2.key", "admin_tls_client_ca": "pki/ca.pem"},
        ["tls_key: the key in {folder}/pki/2.key does not belong"],
    ),
    (
        OWN | {"admin_tls_client_ca": "no"},
        ["admin_tls_client_ca: {folder}/no cannot be read"],
    ),
]


@pytest.mark.usefixtures("pki")
@pytest.mark.parametrize(("said", "expected"), LISTENERS)
def test_a_mistake_is_told_once_by_the_setting_that_makes_it(
    tmp_path: Path, said: Mapping[str, Any], expected: list[str]
) -> None:
    found = problems(tmp_path, yaml.safe_dump(said))
    told = [problem.partition("c.yaml:")[2].partition(": ")[2] for problem in found]
    assert len(told) == len(expected)
    for problem, beginning in zip(told, expected, strict=True):
        assert problem.startswith(beginning.format(folder=tmp_path))


def of_upstream(folder: Path, **said: Any) -> ClientFiles:
    body = {"url": "https://agents.example", **said}
    (found,) = parsed(folder, {"upstreams": {"a": body}}, upstreams=()).upstreams
    return found.tls_files


@pytest.mark.usefixtures("pki")
def test_an_upstream_is_known_by_the_machines_authorities_or_its_own(tmp_path: Path) -> None:
    at = tmp_path / "pki"
    assert of_upstream(tmp_path) == ClientFiles()
    assert of_upstream(tmp_path, tls_ca="pki/ca.pem") == ClientFiles(ca=at / "ca.pem")
    shown = of_upstream(tmp_path, tls_cert="pki/1.crt", tls_key="pki/1.key")
    assert shown == ClientFiles(cert=at / "1.crt", key=at / "1.key")
    assert of_upstream(tmp_path, tls_verify=False) == ClientFiles(verify=False)


UPSTREAMS = [
    ({"tls_ca": "no"}, "tls_ca: {folder}/no cannot be read"),
    ({"tls_cert": "pki/1.crt"}, "tls_cert: needs `tls_key`, too"),
    ({"tls_cert": "pki/1.crt", "tls_key": "pki/2.key"}, "tls_key: the key in"),
    ({"tls_verify": "no"}, "tls_verify: must be true or false"),
    ({"tls_verify": None}, "tls_verify: must be true or false"),
    ({"tls_verify": False, "tls_ca": "pki/ca.pem"}, "tls_verify: with `false` nothing is held"),
    ({"url": "http://h", "tls_ca": "pki/ca.pem"}, "tls_ca: the url is not https"),
    ({"url": "http://h", "tls_verify": False}, "tls_verify: the url is not https"),
]


@pytest.mark.usefixtures("pki")
@pytest.mark.parametrize(("said", "expected"), UPSTREAMS)
def test_a_mistake_about_an_upstream_is_named(
    tmp_path: Path, said: Mapping[str, Any], expected: str
) -> None:
    text = yaml.safe_dump({"upstreams": {"a": {"url": "https://h", **said}}})
    (problem,) = problems(tmp_path, text, upstreams=())
    told = problem.partition("upstreams.a.")[2]
    assert told.startswith(expected.format(folder=tmp_path))
