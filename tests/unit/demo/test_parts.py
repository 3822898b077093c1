"""The demo's commands and surroundings."""

import importlib
import json
from pathlib import Path

import pytest

from subagent_sidecar.demo.parts import AGENTS, Ports, missing_packages, write_langgraph_json
from subagent_sidecar.demo.processes import child_environment, free_ports, tail

PORTS = Ports(server=1, data=2, admin=3)


def test_a_package_of_the_extra_that_is_not_there_is_missed() -> None:
    assert missing_packages(lambda name: None if name == "deepagents" else object()) == [
        "deepagents"
    ]
    assert missing_packages(lambda name: object()) == []


def test_the_agent_server_is_told_to_run_more_than_one_task_at_a_time() -> None:
    argv = PORTS.server_argv(Path("langgraph.json"))
    assert argv[argv.index("--n-jobs-per-worker") + 1] == "10"


def test_the_sidecar_gets_the_agent_server_as_its_one_upstream() -> None:
    assert PORTS.sidecar_argv(Path("/tmp/demo.db"))[1:] == [
        "-m",
        "subagent_sidecar",
        "serve",
        "--upstream=http://127.0.0.1:1",
        "--listen=127.0.0.1:2",
        "--admin-listen=127.0.0.1:3",
        "--store=sqlite:////tmp/demo.db",
    ]


def test_the_supervisor_knows_nothing_but_the_sidecars_address() -> None:
    argv = PORTS.supervisor_argv()
    assert argv[-1] == "http://127.0.0.1:2"
    assert "http://127.0.0.1:1" not in argv


def test_every_graph_of_the_configuration_can_be_loaded(tmp_path: Path) -> None:
    graphs = json.loads(write_langgraph_json(tmp_path).read_text())["graphs"]
    assert set(graphs) == set(AGENTS)
    for where in graphs.values():
        module, _, name = where.partition(":")
        assert hasattr(importlib.import_module(module), name)


def test_the_ports_are_all_different() -> None:
    assert len(set(free_ports(20))) == 20


@pytest.mark.parametrize(
    "name",
    [
        "LANGSMITH_API_KEY",
        "LANGCHAIN_TRACING_V2",
        "LANGGRAPH_API_KEY",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "SUBAGENT_SIDECAR_STORE",
        "SUBAGENTCTL_TOKEN",
    ],
)
def test_settings_of_the_person_who_tries_it_do_not_reach_the_parts(name: str) -> None:
    assert name not in child_environment({name: "theirs", "PATH": "/bin"})


def test_the_parts_send_nothing_home_and_use_no_proxy_among_themselves() -> None:
    environment = child_environment({"PATH": "/bin", "LANGSMITH_TRACING": "true"})
    assert environment["PATH"] == "/bin"
    assert environment["LANGSMITH_TRACING"] == "false"
    assert environment["LANGGRAPH_CLI_NO_ANALYTICS"] == "1"
    assert environment["LANGGRAPH_NO_VERSION_CHECK"] == "true"
    assert "127.0.0.1" in environment["NO_PROXY"]


def test_the_end_of_a_log_is_its_last_lines_that_say_something() -> None:
    log = "\n".join(["first", *map(str, range(20)), "", "\x1b[31mthe cause\x1b[0m  ", "  ", ""])
    assert tail(log)[-2:] == ["19", "the cause"]
    assert "first" not in tail(log)
    assert len(tail("x" * 5000)[0]) < 100
