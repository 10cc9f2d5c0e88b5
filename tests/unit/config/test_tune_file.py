from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import tunewright as tw
from tunewright.config.document import parse_document
from tunewright.config.draft import Draft
from tunewright.config.schema import json_schema, made_from_models
from tunewright.config.tune_file import TuneFile, read_tune_file
from tunewright.errors import InvalidInput
from tunewright.lifecycle.request import NOT_YET

MINIMAL = "command: [train]\nspace: {x: [1, 2]}\n"
FULL = """
command: [torchrun, --nproc-per-node, "2", train.py, "{args}"]
arguments: ["--{name}", "{value}"]
metrics: {val/loss: "loss=([0-9.]+)"}
step: "epoch ([0-9]+)"
metrics_file: metrics.jsonl
env: {OMP_NUM_THREADS: "1"}
cwd: /tmp
log_limit: 5MB
space:
  lr: {float: [1e-5, 1e-1], scale: log, default: 1e-3}
  width: {int: [8, 64], step: 8}
  opt: {choice: [sgd, adam], default: adam, ordered: true}
  momentum: {float: [0, 0.99], when: "opt == 'sgd'"}
  nesterov: {choice: [true, false], when: {opt: [sgd]}}
  depth: [1, 2, 4]
  activation: [relu, tanh]
  epochs: 10
  note: on
constraints: ["lr * width <= 5"]
fixed: {depth: 2}
objective:
  - {metric: val/loss, target: 0.1}
  - {metric: latency_ms, goal: minimize, which: best, aggregate: median}
require: {size: "<= 20"}
max_trials: 50
max_time: 2h
max_parallel: 3
max_step: 9
strategy: random
stopper: null
resources: {cpus: 2, gpus: 0.5, memory: 2GB, time: 30m}
retries: {crash: 1, lost: 2}
seed: 3
name: first
tags: {team: vision}
store: x.db
executor: script
resume: true
on_trial: mine:told
notify: ["https://example.com/hook", "mailto:a@example.com"]
progress: plain
"""


def read(text: str) -> Draft:
    return read_tune_file(parse_document(text, "tune.yaml"))


def test_every_key_arrives() -> None:
    draft = read(FULL)
    assert draft.function is None
    assert draft.script is not None
    script = tw.Script(**draft.script)
    assert script.command == ("torchrun", "--nproc-per-node", "2", "train.py", "{args}")
    assert script.arguments == ("--{name}", "{value}")
    assert script.metrics == {"val/loss": "loss=([0-9.]+)"}
    assert (script.step, script.metrics_file, script.cwd, script.log_limit) == (
        "epoch ([0-9]+)", "metrics.jsonl", "/tmp", 5_000_000,
    )  # fmt: skip
    assert script.env == {"OMP_NUM_THREADS": "1"}
    assert draft.space == tw.SearchSpace(
        {
            "lr": tw.Float(1e-5, 1e-1, scale="log", default=1e-3),
            "width": tw.Int(8, 64, step=8),
            "opt": tw.Categorical(["sgd", "adam"], default="adam", ordered=True),
            "momentum": tw.Float(0, 0.99, when="opt == 'sgd'"),
            "nesterov": tw.Categorical([True, False], when={"opt": ["sgd"]}),
            "depth": [1, 2, 4],
            "activation": ["relu", "tanh"],
            "epochs": 10,
            "note": "on",
        },
        constraints=["lr * width <= 5"],
    )
    assert draft.options == {
        "fixed": {"depth": 2},
        "objective": [
            tw.Objective("val/loss", target=0.1),
            tw.Objective("latency_ms", "minimize", which="best", aggregate="median"),
        ],
        "require": {"size": "<= 20"},
        "max_trials": 50,
        "max_time": "2h",
        "max_parallel": 3,
        "max_step": 9,
        "strategy": "random",
        "stopper": None,
        "resources": tw.Resources(2, 0.5, "2GB", "30m"),
        "retries": tw.Retries(crash=1, lost=2),
        "seed": 3,
        "name": "first",
        "tags": {"team": "vision"},
        "store": "x.db",
        "executor": "script",
        "resume": True,
        "notify": ["https://example.com/hook", "mailto:a@example.com"],
        "progress": "plain",
    }
    assert draft.on_trial == "mine:told"


def test_what_is_not_said_is_left_to_tune() -> None:
    draft = read(MINIMAL)
    assert draft.options == {}
    assert draft.script == {"command": ["train"]}


def test_every_argument_of_tune_is_a_key() -> None:
    arguments = {*inspect.signature(tw.tune).parameters} - {"train"} - set(NOT_YET)
    assert arguments <= {field.alias or name for name, field in TuneFile.model_fields.items()}


def test_a_program_is_started_by_its_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "train.py").write_text("")
    monkeypatch.chdir(tmp_path)
    draft = read("program: train.py\nspace: {x: [1, 2]}")
    assert draft.script is not None
    assert draft.script["command"][1:] == ["train.py"]
    monkeypatch.chdir(tmp_path.parent)
    within = read(f"program: train.py\ncwd: {tmp_path}\nspace: {{x: [1, 2]}}")
    assert within.script == {**draft.script, "cwd": str(tmp_path)}


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("", ["tune.yaml:1: must be a mapping of keys and values"]),
        ("- a", ["tune.yaml:1: must be a mapping of keys and values"]),
        ("space: {x: [1, 2]}", ["tune.yaml:1: must name what to tune by one of function, program and command; got none"]),
        (f"{MINIMAL}function: a:b", ["by one of function, program and command; got function and command"]),
        ("function: a:b\nenv: {A: b}", ["can't have the key 'env' beside function"]),
        (f"{MINIMAL}metrc: loss", ["tune.yaml:3: metrc is no key that is known here (did you mean 'metric' or 'metrics'?)"]),
        (f"{MINIMAL}parameters: 3", ["tune.yaml:3: parameters is no key that is known here (did you mean 'space'?"]),
        (f"{MINIMAL}warm_start: x", ["warm_start is no key that is known here (it is not there yet in this version)"]),
        (f"{MINIMAL}resources:\n  gpu: 1", ["tune.yaml:4: resources.gpu is no key that is known here (did you mean 'gpus'"]),
        (f'{MINIMAL}max_trials: "50"', ["tune.yaml:3: max_trials must be a whole number; got '50'"]),
        (f"{MINIMAL}max_trials: true", ["tune.yaml:3: max_trials must be a whole number; got True"]),
        (f"{MINIMAL}max_time: soon", ["tune.yaml:3: max_time must be a duration above 0", "got 'soon'"]),
        (f"{MINIMAL}max_parallel: many", ["tune.yaml:3: max_parallel must be a whole number, or auto; got 'many'"]),
        (f"{MINIMAL}goal: minimise", ["tune.yaml:3: goal must be 'minimize' or 'maximize'; got 'minimise'"]),
        (f"{MINIMAL}progress: liv", ["tune.yaml:3: progress must be", "did you mean 'live'"]),
        (f"{MINIMAL}resources: {{memory: much}}", ["tune.yaml:3: resources.memory must be a size of at least one byte"]),
        (f"{MINIMAL}resources: {{cpus: 0}}", ["tune.yaml:3: resources.cpus must be an integer of at least 1; got 0"]),
        (f"{MINIMAL}retries: {{crash: -1}}", ["tune.yaml:3: retries.crash must be an integer of at least 0; got -1"]),
        (f"{MINIMAL}objective: {{goal: minimize}}", ["tune.yaml:3: objective.metric is missing"]),
        (f"{MINIMAL}objective:\n- metric: loss\n- metric: what", ["tune.yaml:5: objective[1].goal must be given"]),
        (f"{MINIMAL}require: {{size: 20}}", ["tune.yaml:3: require must be a mapping of names and texts"]),
        (f"{MINIMAL}notify: 3", ["tune.yaml:3: notify must be an address, or a list of them; got 3"]),
        ("command: [train, 3]\nspace: {x: [1, 2]}", ["tune.yaml:1: command must be a list of texts"]),
        ("program: nothing.py\nspace: {x: [1, 2]}", ["tune.yaml:1: program must name a file"]),
        ("command: [t]\nconstraints: [a > 1]", ["tune.yaml:2: constraints must be left out without a space"]),
    ],
)  # fmt: skip
def test_what_breaks_a_rule_is_told_with_its_line_and_path(text: str, messages: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(text)
    for message in messages:
        assert message in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{float: [0.1, 0.01]}", "float[1] must be greater than low (0.1); got 0.01"),
        ("{float: [1, x]}", "float must be a list of two numbers, [low, high]"),
        ("{float: [0, 1], scale: log}", "float[0] must be greater than 0 with scale='log'; got 0.0"),
        ("{float: [1, 2], scale: lgo}", "scale must be one of linear, log, reverse_log, auto (did you mean 'log'?); got 'lgo'"),
        ("{float: [1, 2], default: 3}", "default must be between 1.0 and 2.0; got 3.0"),
        ("{float: [1, 2], step: 0.3}", "step must"),
        ("{float: [1, 2], ordered: true}", "ordered is no key that is known here (known: default, float, scale, step, when)"),
        ("{int: [1, 2.5]}", "int[1] must be an integer"),
        ("{choice: []}", "choice must not be empty"),
        ("{choice: [a, a]}", "choice must not hold a choice twice; got 'a'"),
        ("{choice: [a, [b]]}", "choice[1] must be a JSON scalar"),
        ("{choice: [a, b], default: c}", "default must be one of ['a', 'b']; got 'c'"),
        ("{choice: [a, b], when: y}", "when names an unknown parameter 'y'"),
        ("{choice: [a, b], when: x ==}", "when"),
        ("{min: 1, max: 2}", "must have one of the keys float, int and choice, be a list of choices, or a fixed value"),
        ("{int: [1, 2], float: [1, 2]}", "must have one of the keys float, int and choice"),
        ("1e-5..1e-1:log", "would be this text in all trials; a range is written {float: [low, high]} or {int: [low, high]}"),
        ("[1, [2]]", "[1] must be a text, a number, true, false or null"),
    ],
)
def test_a_bad_parameter_is_told_with_its_line_and_path(entry: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(f"command: [t]\nspace:\n  x: [1, 2]\n  lr: {entry}\n")
    first = str(caught.value).splitlines()[0]
    assert first.startswith(("tune.yaml:4: space.lr ", "tune.yaml:4: space.lr.", "tune.yaml:4: space.lr["))
    assert message in first


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        read("command: [t]\nmetrc: loss\nspace:\n  lr: {float: [1, x]}\nmax_trials: many\ngaol: minimize\n")
    assert [line.split()[0] for line in str(caught.value).splitlines()] == [f"tune.yaml:{n}:" for n in (2, 4, 5, 6)]


def test_a_bad_constraint_is_told_with_its_place() -> None:
    with pytest.raises(InvalidInput, match=r"tune.yaml:3: constraints\[0\] names an unknown parameter 'y'"):
        read("command: [t]\nspace: {x: [1, 2]}\nconstraints: ['y > 1']")


# --- the schema for editors ---


def test_the_published_schema_is_that_of_the_models() -> None:
    assert json_schema() == made_from_models()
    jsonschema.Draft202012Validator.check_schema(json_schema())


def valid(text: str) -> bool:
    data: Any = yaml.safe_load(text.replace("1e-", "1.0e-"))
    return bool(jsonschema.Draft202012Validator(json_schema()).is_valid(json.loads(json.dumps(data))))


@pytest.mark.parametrize("text", [MINIMAL, FULL.replace("note: on", "note: 'on'"), "function: a:b\n"])
def test_the_schema_takes_what_is_read(text: str) -> None:
    assert valid(text)
    read(text)


@pytest.mark.parametrize(
    "more",
    ["metrc: loss", "max_trials: many", "resources: {gpu: 1}", "program: t.py", "goal: up", "objective: {goal: minimize}"],
)
def test_the_schema_refuses_what_is_refused(more: str) -> None:
    assert not valid(f"{MINIMAL}{more}")


@pytest.mark.parametrize("entry", ["{float: [1]}", "{min: 1}", "{choice: []}", "{float: [1, 2], ordered: true}", "[[1]]"])
def test_the_schema_refuses_bad_parameters(entry: str) -> None:
    assert not valid(f"command: [t]\nspace: {{x: {entry}}}")
