"""`dashboards/compose.yaml` and all it mounts, as far as it can be judged without Docker."""

import json
import re
from typing import Any

import pytest
import yaml
from tests.docs import repository

from subagentctl.exporting import contents

FOLDER = repository.ROOT / "dashboards"
LOCAL = "127.0.0.1"
FILES = ("compose.yaml", "compose.desktop.yaml")


class _Compose(yaml.SafeLoader):
    """Knows the tag by which an overriding file takes something back."""


_Compose.add_constructor("!reset", lambda loader, node: None)


def loaded(name: str) -> Any:
    return yaml.load((FOLDER / name).read_text("utf-8"), Loader=_Compose)


LINUX, OVERRIDES = loaded("compose.yaml"), loaded("compose.desktop.yaml")


def _merged(one: Any, other: Any) -> Any:
    """As Compose lays one file over another, as far as these two need it."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return other
    return one | {key: _merged(one.get(key), value) for key, value in other.items()}


DESKTOP = _merged(LINUX, OVERRIDES)
BOTH = pytest.mark.parametrize("file", [LINUX, DESKTOP], ids=["linux", "desktop"])

KEYS = {
    *("image", "network_mode", "depends_on", "environment", "volumes", "restart", "command"),
    *("configs", "ports", "extra_hosts"),
}
"""Those of the Compose Specification that are used here: a slip of the pen is not among them."""


def mounts(service: Any) -> dict[str, str]:
    """Target -> source."""
    found = [volume.split(":") for volume in service.get("volumes", ())]
    assert all(mode == "ro" for _, _, mode in found), "nothing here is written to"
    return {target: source.removeprefix("./") for source, target, _ in found}


def flags(service: Any) -> dict[str, str]:
    return dict(flag.lstrip("-").split("=", 1) for flag in service["command"])


@BOTH
def test_it_says_what_compose_knows(file: Any) -> None:
    assert file.keys() == {"name", "services", "configs"}
    for name, service in file["services"].items():
        assert service.keys() <= KEYS, name
        assert set(service.get("depends_on", ())) <= file["services"].keys()
        for config in service.get("configs", ()):
            assert config["source"] in file["configs"]


def test_images_are_pinned_and_the_same_everywhere() -> None:
    for name, service in LINUX["services"].items():
        assert re.fullmatch(r"[a-z]+/[a-z-]+:v?\d+\.\d+\.\d+", service["image"]), name
        assert "image" not in OVERRIDES["services"].get(name, {})


@BOTH
def test_what_is_mounted_is_there_and_is_exported(file: Any) -> None:
    exported = contents(FOLDER)
    for service in file["services"].values():
        for source in mounts(service).values():
            assert any(name == source or name.startswith(f"{source}/") for name in exported), source
    assert set(FILES) <= exported.keys()


@BOTH
def test_nothing_can_be_reached_from_another_machine(file: Any) -> None:
    for name, service in file["services"].items():
        for port in service.get("ports", ()):
            assert port.startswith(f"{LOCAL}:"), name
        if service.get("network_mode") == "host":
            assert "ports" not in service
            assert listens(service) == LOCAL, name


def listens(service: Any) -> str:
    """The address that a service is told to listen at."""
    if "command" in service:
        return flags(service)["web.listen-address"].split(":")[0]
    return str(service["environment"]["GF_SERVER_HTTP_ADDR"])


def test_who_must_get_at_the_hosts_loopback_has_its_network() -> None:
    hosts = {name for name, each in LINUX["services"].items() if each.get("network_mode")}
    assert hosts == {"grafana", "prometheus"}
    assert not [n for n, each in DESKTOP["services"].items() if each.get("network_mode")]


@BOTH
def test_everybody_is_where_the_others_look(file: Any) -> None:
    services = file["services"]
    asked = services["grafana"]["environment"]
    name = {"prometheus": "prometheus", "tempo": "tempo"}
    if file is LINUX:
        name = dict.fromkeys(name, LOCAL)
    port = flags(services["prometheus"])["web.listen-address"].split(":")[1]
    assert asked["PROMETHEUS_URL"] == f"http://{name['prometheus']}:{port}"
    http = loaded("compose/tempo.yaml")["server"]["http_listen_port"]
    assert asked["TEMPO_URL"] == f"http://{name['tempo']}:{http}"
    assert services["tempo"]["ports"] == [f"{LOCAL}:{http}:{http}"]


@BOTH
def test_prometheus_scrapes_the_sidecar_where_it_listens(file: Any) -> None:
    [config] = file["services"]["prometheus"]["configs"]
    assert config["target"] == "/etc/prometheus/sidecars.json"
    told = file["configs"]["sidecars"]["content"]
    [targets] = json.loads(re.sub(r"\$\{SIDECAR_ADMIN:-(.*?)\}", r"\1", told))
    host = LOCAL if file is LINUX else "host.docker.internal"
    assert targets == {"targets": [f"{host}:8461"]}
    if file is DESKTOP:
        assert "host.docker.internal:host-gateway" in file["services"]["prometheus"]["extra_hosts"]


def test_the_collector_takes_traces_and_hands_them_to_tempo() -> None:
    config = loaded("compose/collector.yaml")
    receivers = config["receivers"]["otlp"]["protocols"].values()
    ports = [each["endpoint"].split(":")[1] for each in receivers]
    assert LINUX["services"]["collector"]["ports"] == [f"{LOCAL}:{port}:{port}" for port in ports]
    for pipeline in config["service"]["pipelines"].values():
        for kind, names in pipeline.items():
            assert set(names) <= config[kind].keys()
    [exporter] = config["exporters"].values()
    _, port = exporter["endpoint"].split(":")
    taken = loaded("compose/tempo.yaml")["distributor"]["receivers"]["otlp"]["protocols"]["grpc"]
    assert exporter["endpoint"] == f"tempo:{port}" and taken["endpoint"] == f"0.0.0.0:{port}"


def test_grafana_finds_its_data_sources_and_an_exemplar_its_trace() -> None:
    sources = {
        each["type"]: each for each in loaded("compose/grafana/datasources.yaml")["datasources"]
    }
    assert sources.keys() == {"prometheus", "tempo"}
    assert sources["prometheus"]["isDefault"] is True
    environment = LINUX["services"]["grafana"]["environment"]
    assert {each["url"].removeprefix("$") for each in sources.values()} <= environment.keys()
    [destination] = sources["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    assert destination["datasourceUid"] == sources["tempo"]["uid"]
    assert destination["name"] == "trace_id"


def test_grafana_finds_its_dashboards() -> None:
    grafana = LINUX["services"]["grafana"]
    [provider] = loaded("compose/grafana/dashboards.yaml")["providers"]
    path = provider["options"]["path"]
    assert mounts(grafana)[path] == "grafana"
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (FOLDER / "grafana" / home.removeprefix(f"{path}/")).is_file()
    provisioned = [target for target in mounts(grafana) if "/provisioning/" in target]
    assert {target.split("/")[-2] for target in provisioned} == {"datasources", "dashboards"}


def test_the_alerts_are_about_the_job_that_is_scraped() -> None:
    config = loaded("compose/prometheus.yml")
    [scraped] = config["scrape_configs"]
    assert f'job="{scraped["job_name"]}"' in repository.read("dashboards/alerts/alerts.yaml")
    folder = {source: target for target, source in mounts(LINUX["services"]["prometheus"]).items()}
    for name in config["rule_files"]:
        assert f"/etc/prometheus/{name}".startswith(folder["alerts"])
        assert (FOLDER / name).is_file()
