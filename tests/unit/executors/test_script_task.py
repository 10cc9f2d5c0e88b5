from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest

import tunewright as tw
from tunewright.errors import InvalidInput
from tunewright.executors.script_task import Script

SPACE = tw.SearchSpace({"lr": tw.Float(0.1, 1.0), "opt": tw.Categorical(["sgd", "adam"])})


def test_a_command_may_be_a_text() -> None:
    assert Script("python train.py --name 'a b' {args}").command == ("python", "train.py", "--name", "a b", "{args}")
    assert Script(["python", Path("a") / "train.py"]).command == ("python", "a/train.py")  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"command": ""}, "command must begin with a program"),
        ({"command": []}, "command must begin with a program"),
        ({"command": 3}, "command must be a text or a list of texts; got 3"),
        ({"command": ["a", 1]}, r"command\[1\] must be a text without a null character; got 1"),
        ({"command": ["a", "\0"]}, r"command\[1\] must be a text without a null character"),
        ({"command": "a 'b"}, r"command must be a text that can be split into arguments \(No closing quotation\)"),
        ({"command": "a | b"}, r"command runs without a shell, so '\|' means nothing; start one.*got 'a \| b'"),
        ({"arguments": "--lr"}, r"arguments must be a text .* places \{name\} and \{value\}.*got '--lr'"),
        ({"arguments": "{nam}={value}"}, r"arguments must name known places only \(did you mean 'name'\?"),
        ({"arguments": 3}, "arguments must be a text or a list of texts"),
        ({"metrics": {"loss": "loss=[0-9.]+"}}, r"metrics\['loss'\] must be a regular expression with a group"),
        ({"metrics": {"loss": "loss=("}}, r"metrics\['loss'\] must be a regular expression \(missing \)"),
        ({"metrics": {"": "(a)"}}, "metrics must be a dict of regular expressions by the metric's name"),
        ({"metrics": ["(a)"]}, "metrics must be a dict"),
        ({"metrics": {"loss": 3}}, r"metrics\['loss'\] must be a text"),
        ({"step": "epoch"}, "step must be a regular expression with a group"),
        ({"metrics_file": ""}, "metrics_file must be a text that is not empty"),
        ({"env": {"A=B": "1"}}, "env must have names without '='; got 'A=B'"),
        ({"env": {"A": 1}}, r"env\['A'\] must be a text without a null character; got 1"),
        ({"env": ["A"]}, "env must be a dict of texts"),
        ({"log_limit": 9_999}, "log_limit must be at least 10000 bytes; got 9999"),
        ({"log_limit": "much"}, "log_limit must be a size"),
    ],
)
def test_what_breaks_a_rule_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        Script(**{"command": ["true"], **arguments})


SCRIPTS = [
    Script(["true"]),
    Script(
        ["python", "train.py", "{args}"],
        arguments=["--{name}", "{value}"],
        metrics={"loss": "loss=(.*)", "val/auc": r"auc: (\d+)"},
        step="epoch ([0-9]+)",
        metrics_file="out.jsonl",
        env={"A": "{lr}"},
        cwd="/tmp",
        log_limit="1MB",
    ),
    Script("true", arguments="hydra"),
    Script("true", arguments="flags"),
    Script("true", arguments=None),
]


@pytest.mark.parametrize("script", SCRIPTS, ids=range(len(SCRIPTS)))
def test_a_script_survives_json_and_pickle(script: Script) -> None:
    assert Script.from_json(json.loads(json.dumps(script.to_json()))) == script
    assert pickle.loads(pickle.dumps(script)) == script


def test_its_name_is_that_of_its_code() -> None:
    assert Script("python -u src/train_model.py").name == "train_model"
    assert Script("torchrun --nproc-per-node 2 train.py {args}").name == "train"
    assert Script("/usr/bin/xgboost conf").name == "xgboost"


def test_a_program_must_be_found_and_executable(tmp_path: Path) -> None:
    (tmp_path / "train.sh").write_text("#!/bin/sh\n")
    Script([sys.executable]).check(SPACE)
    Script("sh").check(SPACE)
    with pytest.raises(InvalidInput, match="command must begin with a program that is found in PATH; got 'no-such-program'"):
        Script("no-such-program").check(SPACE)
    with pytest.raises(InvalidInput, match=r"command must begin with a program that exists; got '\./none\.sh'"):
        Script("./none.sh", cwd=tmp_path).check(SPACE)
    with pytest.raises(InvalidInput, match=r"command must be a program that may be executed \(chmod \+x \./train\.sh"):
        Script("./train.sh", cwd=tmp_path).check(SPACE)
    (tmp_path / "train.sh").chmod(0o755)
    Script("./train.sh", cwd=tmp_path).check(SPACE)
    with pytest.raises(InvalidInput, match="found in PATH"):
        Script("sh", env={"PATH": str(tmp_path)}).check(SPACE)
    with pytest.raises(InvalidInput, match="cwd must be a folder that exists"):
        Script("sh", cwd=tmp_path / "none").check(SPACE)
    Script("{folder}/made-later").check(SPACE)


def test_places_must_be_known_everywhere() -> None:
    Script(["sh", "{lr}", "{folder}", "{port}"], env={"A": "{opt}"}, metrics_file="{number}.jsonl").check(SPACE)
    for script in (
        Script(["sh", "{rl}"]),
        Script("sh", env={"A": "{optt}"}),
        Script("sh", metrics_file="{nummer}.jsonl"),
        Script("sh", cwd="/x/{foldr}"),
    ):
        with pytest.raises(InvalidInput, match="must name known places only"):
            script.check(SPACE)


def test_values_that_no_command_line_carries_are_refused_before_anything_runs() -> None:
    space = tw.SearchSpace({"text": tw.Categorical(["a", "b\nc"]), "lr": tw.Float(0.0, 1.0)})
    for script in (Script("sh"), Script(["sh", "{args}"]), Script(["sh", "{text}"])):
        with pytest.raises(InvalidInput, match=r"value of text must not hold a line break.*got 'b\\nc'"):
            script.check(space)
    for script in (Script(["sh", "{params_file}"]), Script(["sh", "{lr}"]), Script("sh", arguments=None)):
        script.check(space)
    with pytest.raises(InvalidInput, match="value of fixed_text"):
        Script("sh").check(tw.SearchSpace({"lr": tw.Float(0.0, 1.0), "fixed_text": "a\nb"}))


def test_a_working_directory_is_made_absolute_and_keeps_its_braces(tmp_path: Path) -> None:
    odd = tmp_path / "{lr}"
    odd.mkdir()
    for given, expected in ((None, odd), (".", odd), (tmp_path, tmp_path)):
        made = Script("sh", cwd=given).within(odd)
        assert made.within(Path("/elsewhere")) == made
        made.check(SPACE)
        from tunewright.executors.script_template import fill

        assert made.cwd is not None
        assert Path(fill(made.cwd, {"lr": "1"})) == expected


def test_the_fingerprint_follows_the_code_and_not_its_folder(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "train.py").write_text("print(1)")
    first, second = (Script("python train.py", cwd=tmp_path / name).fingerprint() for name in ("a", "b"))
    assert first == second
    (tmp_path / "a" / "train.py").write_text("print(2)")
    assert Script("python train.py", cwd=tmp_path / "a").fingerprint() != first
    assert Script("python train.py -x", cwd=tmp_path / "b").fingerprint() != second
