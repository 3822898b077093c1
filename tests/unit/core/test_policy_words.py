"""A policy said in its own language comes to the same."""

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator
from tests.support.policies import EVERYTHING, GOOD

from subagent_sidecar.core.policy import Policy
from subagent_sidecar.core.policy_words import document
from subagent_sidecar.policy_file import parse, schema
from subagent_sidecar.yaml_file import Document


def read(data: object) -> Policy:
    return parse([Document(Path("p.yaml"), data, {})])


@pytest.mark.parametrize("text", GOOD, ids=range(len(GOOD)))
def test_what_was_read_is_said_and_read_again(text: str) -> None:
    policy = read(yaml.safe_load(text))
    said = json.loads(json.dumps(document(policy)))
    assert read(said) == policy
    assert Draft202012Validator(schema.schema()).is_valid(said)


def test_every_rule_says_its_mode_and_what_is_not_set_is_left_out() -> None:
    said = document(read(yaml.safe_load(EVERYTHING)))
    assert said["limits"][1] == {
        "name": "b",
        "mode": "observe",
        "starts": 5,
        "per": "session",
        "window": "90m",
    }
    assert said["limits"][4] == {
        "name": "e",
        "mode": "observe",
        "match": {"depth": "==4"},
        "deny": True,
    }
