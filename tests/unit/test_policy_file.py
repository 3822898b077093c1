"""Policy files: what can be said, and what a mistake says."""

import random
from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.policies import EVERY, Bad, loaded, mutated, problems, written

from subagent_sidecar.core.policy import Policy
from subagent_sidecar.errors import ConfigError
from subagent_sidecar.policy_file import NAMES, find, folder, load

BUNDLED = [find(name) for name in NAMES]


@pytest.mark.parametrize("bad", EVERY, ids=lambda bad: bad.text.encode("unicode_escape").decode())
def test_a_mistake_is_named_with_file_line_and_key(tmp_path: Path, bad: Bad) -> None:
    found = problems(tmp_path, bad.text)
    assert [problem[: len(str(tmp_path)) + 7 + len(bad.problem)] for problem in found[:1]] == [
        f"{tmp_path}/p.yaml{bad.problem}"
    ]
    assert len(found) == 1, found


def test_a_hundred_mistakes_are_tried() -> None:
    assert len({bad.text for bad in EVERY}) == len(EVERY) >= 100


def test_every_problem_of_every_file_is_named_in_the_order_of_the_lines(tmp_path: Path) -> None:
    first = "version: 2\nmood: x\nlimits:\n  - {name: a, concurrent: 0, starts: 1}\n  - {name: a}\n"
    first += "  - {name: b, depth: x}\n"
    second = "version: 1\nlimits:\n  - {name: a, concurent: 1}\n"
    found = problems(tmp_path, first, "[", second)
    places = [problem.removeprefix(f"{tmp_path}/").split(" ")[:2] for problem in found]
    assert places == [
        ["p1.yaml:1:", "not"],
        ["p.yaml:1:", "version:"],
        ["p.yaml:2:", "mood:"],
        ["p.yaml:4:", "limits[0].concurrent:"],
        ["p.yaml:4:", "limits[0].starts:"],
        ["p.yaml:5:", "limits[1]:"],
        ["p.yaml:5:", "limits[1].name:"],
        ["p.yaml:6:", "limits[2].depth:"],
        ["p2.yaml:3:", "limits[0].concurent:"],
        ["p2.yaml:3:", "limits[0].name:"],
    ]


def test_a_misspelt_key_is_not_said_to_be_missing_as_well(tmp_path: Path) -> None:
    for rule in ("limits:\n  - {name: a, startz: 5}", "budgets:\n  - {name: a, us: 5, per: task}"):
        (problem,) = problems(tmp_path, f"version: 1\n{rule}\n")
        assert "did you mean" in problem


# Several files.


def test_a_name_stands_once_in_all_files(tmp_path: Path) -> None:
    rule = "version: 1\nlimits:\n  - {name: a, depth: 1}\n"
    (problem,) = problems(tmp_path, rule, rule)
    assert problem == (
        f"{tmp_path}/p1.yaml:3: limits[0].name: `a` is the name of another rule "
        f"({tmp_path}/p.yaml:3: limits[0])"
    )


def test_a_file_that_is_given_twice_is_one_problem_and_not_one_for_each_name(
    tmp_path: Path,
) -> None:
    (path,) = written(tmp_path, "version: 1\nlimits:\n  - {name: a, depth: 1}\n")
    with pytest.raises(ConfigError) as error:
        load([path, path])
    assert error.value.problems == (f"{path}: is given twice",)


def test_a_later_file_may_replace_what_an_earlier_one_said(tmp_path: Path) -> None:
    """Within one file the same would be a slip."""
    policy = loaded(
        tmp_path,
        "version: 1\nlifecycle:\n  - {name: a, run: 5m}\npolling: {coalesce: 1s}\n"
        "prices: {m: {input_per_mtok: 1, output_per_mtok: 1}}\n",
        "version: 1\nlifecycle:\n  - {name: b, run: 6m}\non_store_error: fail_open\n"
        "prices: {m: {input_per_mtok: 2, output_per_mtok: 1}}\n",
    )
    assert [(rule.name, rule.policy) for rule in policy.rules] == [("a", "p"), ("b", "p1")]
    assert (policy.coalesce, policy.on_store_error) == (timedelta(seconds=1), "fail_open")
    assert policy.prices["m"].input_per_mtok == 2


def test_a_contradiction_between_files_is_found_in_the_later_one(tmp_path: Path) -> None:
    (problem,) = problems(
        tmp_path,
        "version: 1\nlifecycle:\n  - {name: a, lease: 10m, grace: 5m}\n",
        "version: 1\nlifecycle:\n  - {name: b, lease: 4m}\n",
    )
    assert problem.startswith(f"{tmp_path}/p1.yaml:3: lifecycle[0].lease: grace of 5m is longer")


def test_the_mode_of_a_file_is_that_of_its_own_rules(tmp_path: Path) -> None:
    policy = loaded(
        tmp_path,
        "version: 1\nmode: observe\nlimits:\n  - {name: a, depth: 1}\n"
        "  - {name: b, depth: 2, mode: enforce}\n",
        "version: 1\nlimits:\n  - {name: c, depth: 3}\n",
    )
    assert [limit.mode for limit in policy.limits] == ["observe", "enforce", "enforce"]


# What is no contradiction.

FINE = [
    "{name: a, run: 0, total: 1h}",  # 0 turns a clock off
    "{name: a, run: 5h, total: 0}",
    "{name: a, run: 1h, total: 1h}",
    "{name: a, run: 1h}\n  - {name: b, total: 30m, mode: observe}",
    "{name: a, run: 1h, mode: observe}\n  - {name: b, total: 30m}",
    "{name: a, heartbeat: 10s}\n  - {name: b, lease: 50s, mode: observe}",
    "{name: a, lease: 0, grace: 5m}",
    "{name: a, grace: 5m}",
    "{name: a, lease: 3m, grace: 3m}",
    "{name: a, lease: 1m, heartbeat: 20s}",
    "{name: a, run: 1h, match: {agent: b}}\n  - {name: b, total: 30m, match: {agent: c}}",
    "{name: a, run: 1h}\n  - {name: b, run: 30m, mode: observe}",
    "{name: a, run: 1h, match: {agent: b}}\n  - {name: b, run: 5m, match: {depth: '!=0'}}",
]


@pytest.mark.parametrize("rules", FINE)
def test_what_only_looks_like_a_contradiction_is_none(tmp_path: Path, rules: str) -> None:
    assert loaded(tmp_path, f"version: 1\nlifecycle:\n  - {rules}\n").lifecycle


def test_sections_with_nothing_in_them_are_empty(tmp_path: Path) -> None:
    """Commenting out every rule is no mistake."""
    text = "version: 1\nlimits:\nbudgets: []\nlifecycle:\nprices:\n"
    assert loaded(tmp_path, text) == Policy()


def test_no_files_are_no_policy() -> None:
    assert load([]) == Policy()


def test_a_policy_goes_by_the_name_of_its_file_as_far_as_that_can_be_shown(tmp_path: Path) -> None:
    path = tmp_path / "my\udcff\npolicy.v2.yaml"
    path.write_text("version: 1\nlimits:\n  - {name: a, depth: 1}\n", "utf-8")
    assert [rule.policy for rule in load([path]).rules] == ["my??policy.v2"]


# The bundled ones.


@pytest.mark.parametrize("path", BUNDLED, ids=NAMES)
def test_the_bundled_policies_are_sound(path: Path) -> None:
    assert {rule.policy for rule in load([path]).rules} == {path.stem}


@pytest.mark.parametrize("name", ["default", "strict"])
def test_what_would_be_refused_can_be_observed_beside_what_is_enforced(name: str) -> None:
    policy = load([find(name), find("observe")])
    assert {rule.mode for rule in policy.rules if rule.policy == "observe"} == {"observe"}


def test_observe_asks_what_strict_would_refuse() -> None:
    strict, observe = load([find("strict")]), load([find("observe")])
    for ours, theirs in zip(observe.limits, strict.limits, strict=True):
        assert ours.name == f"would-{theirs.name}"
        assert (ours.kind, ours.most, ours.per) == (theirs.kind, theirs.most, theirs.per)
        assert ours.window == theirs.window
    for our, their in zip(observe.budgets, strict.budgets, strict=True):
        assert our.name == f"would-{their.name}"
        assert (our.limit, our.per, our.window) == (their.limit, their.per, their.window)
    assert [rule.settings for rule in observe.lifecycle] == [
        rule.settings for rule in strict.lifecycle if rule.name != "cancels"
    ]


def test_a_bundled_policy_goes_by_its_bare_name_and_a_file_by_its_path() -> None:
    assert find("strict") == folder() / "strict.yaml"
    assert find("./strict") == Path("strict")
    assert find("my.yaml") == Path("my.yaml")


# Row 11: whatever became of a file, it is either good or refused with sentences.


@pytest.mark.parametrize("seed", range(20))
def test_a_mutated_file_is_read_or_refused_and_nothing_else(  # row 11
    tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    path = tmp_path / "p.yaml"
    plain = ["".join(_bare(source.read_text("utf-8"))) for source in BUNDLED]
    for _ in range(20):
        path.write_bytes(mutated(chance.choice(plain), chance).encode("utf-8", "surrogatepass"))
        try:
            assert isinstance(load([path]), Policy)
        except ConfigError as error:
            assert error.problems
            assert all(problem.startswith(str(path)) for problem in error.problems)


def _bare(text: str) -> list[str]:
    """Without comments: a mutation there shows nothing."""
    return [line for line in text.splitlines(keepends=True) if not line.lstrip().startswith("#")]


def test_a_few_lines_of_aliases_cannot_ask_for_more_than_there_is(tmp_path: Path) -> None:
    lines = [f"k{n}: &k{n} [{', '.join([f'*k{n - 1}'] * 9)}]" for n in range(1, 30)]
    text = "\n".join(["k0: &k0 [x]", *lines])
    (problem,) = problems(tmp_path, text)
    assert problem.endswith("has more than 100,000 values, each alias with all it stands for")
