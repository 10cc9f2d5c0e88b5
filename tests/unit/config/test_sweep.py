from __future__ import annotations

import math
import pickle
import sys
from typing import Any

import pytest

import tunewright as tw
from tunewright.config.document import Problem, parse_document
from tunewright.config.draft import Draft
from tunewright.config.sweep import is_sweep, read_sweep
from tunewright.config.sweep_command import build
from tunewright.config.sweep_parameters import read_parameter
from tunewright.config.sweep_stopping import read_stopping
from tunewright.errors import InvalidInput
from tunewright.executors.script_template import command_line
from tunewright.stoppers.brackets import BracketStopper
from tunewright.testing.stoppers import curve_problem

SWEEP = """
program: train.py
name: a sweep
project: birds
method: bayes
metric: {name: val/loss, goal: minimize, target: 0.1}
parameters:
  lr: {distribution: log_uniform, min: -9.2, max: -2.3}
  layers: {min: 1, max: 6}
  dropout: {min: 0.0, max: 0.5}
  opt: {values: [adam, sgd]}
  fast: {values: [yes, no]}
  epochs: {value: 10}
run_cap: 20
early_terminate: {type: hyperband, min_iter: 3}
"""


def read(text: str) -> Draft:
    return read_sweep(parse_document(text, "sweep.yaml", old=True))


def test_a_sweep_as_it_is() -> None:
    draft = read(SWEEP)
    assert draft.script == {
        "command": ["/usr/bin/env", sys.executable, "train.py", "{args}"], "arguments": "--{name}={value}",
    }  # fmt: skip
    assert draft.space == tw.SearchSpace(
        {
            "lr": tw.Float(math.exp(-9.2), math.exp(-2.3), scale="log"),
            "layers": tw.Int(1, 6, scale="linear"),
            "dropout": tw.Float(0.0, 0.5, scale="linear"),
            "opt": tw.Categorical(["adam", "sgd"]),
            "fast": tw.Categorical([True, False]),
            "epochs": 10,
        }
    )
    stopper = draft.options.pop("stopper")
    assert draft.options == {
        "strategy": "bayesian",
        "objective": tw.Objective("val/loss", "minimize", target=0.1),
        "max_trials": 20,
        "tags": {"sweep.name": "a sweep", "sweep.project": "birds"},
    }
    made = pickle.loads(pickle.dumps(stopper))(curve_problem())
    assert isinstance(made, BracketStopper)
    assert made.brackets[:3] == [3, 9, 27]


def test_which_files_are_sweeps() -> None:
    assert is_sweep(parse_document(SWEEP, "f"))
    assert is_sweep(parse_document("method: grid", "f"))
    assert not is_sweep(parse_document("space: {x: 1}\nmethod: grid", "f"))
    assert not is_sweep(parse_document("[a]", "f"))


@pytest.mark.parametrize(
    ("given", "parameter"),
    [
        ({"value": 3}, 3),
        ({"value": None}, None),
        ({"distribution": "constant", "value": "a"}, "a"),
        ({"values": ["a", "b"]}, tw.Categorical(["a", "b"])),
        ({"values": [3, 1, 2]}, tw.Categorical([1, 2, 3], ordered=True)),
        ({"values": [7]}, 7),
        ({"values": [True, False]}, tw.Categorical([True, False])),
        ({"values": [[1, 2], [3]]}, tw.Categorical(["[1, 2]", "[3]"])),
        ({"value": {"a": 1}}, "{'a': 1}"),
        ({"min": 1, "max": 6}, tw.Int(1, 6, scale="linear")),
        ({"min": 1, "max": 6.0}, tw.Float(1, 6, scale="linear")),
        ({"min": 1, "max": 1000}, tw.Int(1, 1000, scale="linear")),
        ({"distribution": "int_uniform", "min": 4, "max": 4}, 4),
        ({"distribution": "uniform", "min": 1, "max": 6}, tw.Float(1, 6, scale="linear")),
        ({"distribution": "log_uniform", "min": 0, "max": 1}, tw.Float(1.0, math.e, scale="log")),
        ({"distribution": "log_uniform_values", "min": 1e-5, "max": 0.1}, tw.Float(1e-5, 0.1, scale="log")),
        ({"distribution": "inv_log_uniform", "min": 0, "max": 2}, tw.Float(math.exp(-2), 1.0, scale="log")),
        ({"distribution": "inv_log_uniform_values", "min": 1, "max": 2}, tw.Float(1, 2, scale="log")),
        ({"distribution": "q_uniform", "min": 1, "max": 9, "q": 2}, tw.Int(0, 8, step=2, scale="linear")),
        ({"distribution": "q_uniform", "min": 0, "max": 1, "q": 0.25}, tw.Float(0, 1, step=0.25, scale="linear")),
        ({"distribution": "q_uniform", "min": 0, "max": 3}, tw.Float(0, 3, step=1.0, scale="linear")),
        ({"distribution": "q_uniform", "min": 0, "max": 0.2, "q": 1}, 0),
        ({"distribution": "q_log_uniform_values", "min": 8, "max": 64, "q": 8}, tw.Int(8, 64, step=8, scale="log")),
        ({"distribution": "q_log_uniform", "min": 0, "max": 3, "q": 1}, tw.Int(1, 20, scale="log")),
    ],
)
def test_distributions(given: dict[str, Any], parameter: Any) -> None:
    found: list[Problem] = []
    read = read_parameter(("parameters", "x"), given, found, as_text=True)
    assert found == []
    assert type(read) is type(parameter)
    assert read == parameter


@pytest.mark.parametrize(
    ("given", "key", "message"),
    [
        (3, "", "must be a mapping with value, values, or min and max"),
        ({}, "", "must be a mapping with value, values, or min and max"),
        ({"min": 1}, "max", "is missing: the distribution uniform needs it"),
        ({"mn": 1, "max": 2}, "mn", "is no key of the distribution uniform (did you mean 'min'?)"),
        ({"min": "a", "max": 2}, "min", "must be a number"),
        ({"min": 3, "max": 1.5}, "max", "must be at least min (3)"),
        ({"distribution": "int_uniform", "min": 1, "max": 2.5}, "max", "must be a whole number"),
        ({"distribution": "int_uniform", "min": 3, "max": 1}, "max", "must be greater than low"),
        ({"distribution": "normal", "mu": 0, "sigma": 1}, "distribution", "must have bounds"),
        ({"distribution": "q_beta"}, "distribution", "must have bounds"),
        ({"distribution": "log_unifrom", "min": 1, "max": 2}, "distribution", "did you mean 'log_uniform'"),
        ({"values": ["a"], "probabilities": [1]}, "probabilities", "values have no probabilities of their own here"),
        ({"distribution": "categorical_w_probabilities", "values": ["a"]}, "distribution", "must be categorical"),
        ({"parameters": {"lr": {"value": 1}}}, "parameters", "can't be nested: give each parameter a name of its own"),
        ({"values": []}, "values", "must be a list of at least one value"),
        ({"values": "ab"}, "values", "must be a list of at least one value"),
        ({"values": ["a", "a"]}, "values", "must not hold a choice twice"),
        ({"distribution": "log_uniform", "min": 0, "max": 1000}, "max", "must be exponents of e within a float's range"),
        ({"distribution": "log_uniform_values", "min": 0, "max": 1}, "min", "must be above 0 and finite"),
        ({"distribution": "q_uniform", "min": 0, "max": 1, "q": 0}, "q", "must be above 0"),
        (
            {"distribution": "q_log_uniform_values", "min": 1, "max": 64, "q": 8},
            "min",
            "must be rounded to a multiple of q (8)",
        ),
        ({"distribution": "constant", "value": 1, "min": 1}, "min", "is no key of the distribution constant"),
    ],
)
def test_what_has_no_counterpart_is_refused_by_its_key(given: Any, key: str, message: str) -> None:
    found: list[Problem] = []
    assert read_parameter(("parameters", "x"), given, found, as_text=True) is None
    first = found[0]
    assert first.keys == ("parameters", "x", key)[: 3 if key else 2]
    assert message in first.rule


def arguments(command: list[Any], **params: Any) -> list[str]:
    """The command as it would run."""
    found: list[Problem] = []
    built = build("train.py", command, found)
    assert found == []
    assert built is not None
    script = tw.Script(built.command, arguments=built.arguments)
    values = {"params_json": '{"json": 1}', "params_file": "/p.json"}
    return command_line(script.command, script.arguments, params, list(params), values)


def test_macros(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_HOME", "/home/{x}")
    params = {"lr": 0.1, "fast": True, "slow": False}
    assert arguments(["${env}", "${interpreter}", "${program}", "${args}"], **params) == [
        "/usr/bin/env", sys.executable, "train.py", "--lr=0.1", "--fast=True", "--slow=False",
    ]  # fmt: skip
    assert arguments(["t", "${args_no_hyphens}", 3], **params) == ["t", "lr=0.1", "fast=True", "slow=False", "3"]
    assert arguments(["t", "${args_no_equals}"], lr=0.1) == ["t", "--lr", "0.1"]
    assert arguments(["t", "${args_no_boolean_flags}"], **params) == ["t", "--lr=0.1", "--fast"]
    assert arguments(["t", "--config", "${args_json}"], **params) == ["t", "--config", '{"json": 1}']
    assert arguments(["t", "${args_json_file}"], **params) == ["t", "/p.json"]
    assert arguments(["t", "--out=${envvar:MY_HOME}/a", "${args}"], lr=1) == ["t", "--out=/home/{x}/a", "--lr=1"]
    assert arguments(["t", "{lr}", "${args} inside", "${args}"], lr=1) == ["t", "{lr}", "${args} inside", "--lr=1"]


@pytest.mark.parametrize(
    ("command", "keys", "message"),
    [
        (["${prog}", "${args}"], ("command", 0), "must be a macro of W&B's (did you mean 'program'"),
        (["t", "${args}", "${args_no_hyphens}"], ("command",), "must write arguments in one way"),
        (["t", "${program}"], ("command",), "must hold ${args}, or another macro with the configuration"),
        (["t", "${envvar:NOT_SET_ANYWHERE}", "${args}"], ("command", 1), "NOT_SET_ANYWHERE, which is not set"),
        ("train ${args}", ("command",), "must be a list of arguments"),
        ([], ("command",), "must be a list of arguments"),
        ([["t"], "${args}"], ("command", 0), "must be one argument"),
    ],
)
def test_commands_that_mean_nothing_here(command: Any, keys: tuple[Any, ...], message: str) -> None:
    found: list[Problem] = []
    assert build("train.py", command, found) is None
    assert found[0].keys == keys
    assert message in found[0].rule


@pytest.mark.parametrize("command", [None, ["${program}", "${args}"]])
def test_a_program_that_is_needed_and_missing(command: list[str] | None) -> None:
    found: list[Problem] = []
    assert build(None, command, found) is None
    assert found[0].keys == ("program",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("method: bayes", "method: baye"), "sweep.yaml:5: method must be grid, random or bayes (did you mean 'bayes'?)"),
        (("method: bayes", "method: custom"), "method must be grid, random or bayes"),
        (("method: bayes\n", ""), "sweep.yaml:1: method is missing: grid, random or bayes"),
        (("method: bayes", "method: grid"), "sweep.yaml:8: parameters.lr must have a finite number of values"),
        (("run_cap: 20", "run_cap: 0"), "sweep.yaml:14: run_cap must be a whole number of at least 1; got 0"),
        (("run_cap: 20", "runcap: 20"), "runcap is no key of a W&B sweep that is known here (did you mean 'run_cap'?)"),
        (("run_cap: 20", "job: a"), "sweep.yaml:14: job is a part of W&B Launch, which is not here"),
        (("goal: minimize", "goal: low"), "sweep.yaml:6: metric.goal must be minimize or maximize; got 'low'"),
        (("goal: minimize", "impute: best"), "sweep.yaml:6: metric.impute is no key of a metric that is known here"),
        (("name: val/loss, ", ""), "sweep.yaml:6: metric.name must be a metric's name"),
        (("target: 0.1", "target: low"), "sweep.yaml:6: metric.target must be a number; got 'low'"),
        (("type: hyperband", "type: median"), "sweep.yaml:15: early_terminate.type must be hyperband; got 'median'"),
        (("min_iter: 3", "s: 3"), "sweep.yaml:15: early_terminate must have min_iter, or max_iter and s"),
        (("min_iter: 3", "min_iter: 0"), "sweep.yaml:15: early_terminate.min_iter must be a whole number of at least 1; got 0"),
        (("min_iter: 3", "max_iter: 2, s: 2"), "sweep.yaml:15: early_terminate.max_iter must be at least eta (3); got 2"),
        (("min_iter: 3", "min_iter: 3, eta: 1"), "sweep.yaml:15: early_terminate.eta must be a number above 1; got 1"),
        (("min_iter: 3", "min_itr: 3"), "early_terminate.min_itr is no key that is known here (did you mean 'min_iter'"),
        (("  lr:", "  '':"), "sweep.yaml:7: parameters must be a non-empty string"),
        (("program: train.py\n", ""), "sweep.yaml:1: program is missing: the script to run"),
    ],
)  # fmt: skip
def test_what_breaks_a_rule_is_told_with_its_line_and_key(change: tuple[str, str], message: str) -> None:
    assert change[0] in SWEEP
    with pytest.raises(InvalidInput) as caught:
        read(SWEEP.replace(*change, 1))
    assert message in str(caught.value)


def test_a_grid_ends_with_its_last_point_and_needs_no_metric_of_its_own() -> None:
    draft = read("program: t.py\nmethod: grid\nparameters: {a: {values: [1, 2]}, b: {min: 1, max: 3}, c: {value: 1}}")
    assert draft.options == {"strategy": "grid", "max_trials": 6}


def test_values_that_are_lists_are_refused_where_json_would_need_them() -> None:
    text = "program: t.py\nmethod: grid\ncommand: [t, '${args_json}']\nparameters:\n  a: {values: [[1], [2]]}"
    with pytest.raises(InvalidInput, match=r"sweep.yaml:5: parameters.a.values\[0\] must be a text, a number"):
        read(text)


@pytest.mark.parametrize(
    ("given", "brackets"),
    [
        ({"type": "hyperband", "min_iter": 2, "eta": 2}, [2, 4, 8, 16]),
        ({"type": "hyperband", "max_iter": 27, "s": 2}, [3, 9]),
        ({"type": "hyperband", "max_iter": 27, "s": 2, "eta": 2, "strict": True}, [6, 13]),
    ],
)
def test_where_runs_are_ended_early(given: dict[str, Any], brackets: list[int]) -> None:
    found: list[Problem] = []
    made = read_stopping(given, found)
    assert found == []
    assert made is not None
    stopper = made(curve_problem())
    assert stopper.brackets[:4] == brackets
    assert stopper.strict is given.get("strict", False)
