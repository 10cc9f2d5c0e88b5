from __future__ import annotations

import json

import pytest

from tunewright.errors import InvalidInput
from tunewright.executors.script_template import (
    arguments,
    check_places,
    check_value,
    command_line,
    escape,
    fill,
    hydra_text,
    json_of,
    places,
    text_of,
)

PARAMS = {"lr": 1e-05, "layers": 3, "opt": "it's a b", "nesterov": True, "seed_of": None}


@pytest.mark.parametrize(
    ("text", "found", "filled"),
    [
        ("{lr}", ["lr"], "0.1"),
        ("--lr={lr},x={lr}", ["lr", "lr"], "--lr=0.1,x=0.1"),
        ("{{lr}}", [], "{lr}"),
        ("{{{lr}}}", [], "{{lr}}"),
        ("${lr}", [], "${lr}"),
        ("${{lr}}", [], "${lr}"),
        ("awk '{print $1}' {}", [], "awk '{print $1}' {}"),
        ('{"a": {"b": {lr}}}', ["lr"], '{"a": {"b": 0.1}}'),
        ('{"lr": 1}', [], '{"lr": 1}'),
        ("{model.lr}", ["model.lr"], "0.5"),
        ("{unknown}", ["unknown"], "{unknown}"),
    ],
)
def test_places_are_names_in_single_braces(text: str, found: list[str], filled: str) -> None:
    assert places(text) == found
    assert fill(text, {"lr": "0.1", "model.lr": "0.5"}) == filled


@pytest.mark.parametrize("text", ["{a}", "{{a}}", "${a}", "$${a}", "/home/{x}/{{y}}/{", "}{", "{{a}", '{"x":{"y":{a}}}'])
def test_an_escaped_text_is_filled_in_as_itself(text: str) -> None:
    assert places(escape(text)) == []
    assert fill(escape(text), {"a": "1", "x": "2", "y": "3"}) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1, "0.1"), (1e-05, "1e-05"), (1e22, "1e+22"), (3, "3"), (True, "True"), (None, "None"), ("é ", "é "), ("", "")],
)
def test_values_as_texts(value: object, text: str) -> None:
    assert text_of(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-05, "1e-05"),
        (True, "true"),
        (None, "null"),
        ("adam", "adam"),
        ("1", "'1'"),
        ("true", "'true'"),
        ("NULL", "'NULL'"),
        ("", "''"),
        ("a b", "'a b'"),
        ("it's", r"'it\'s'"),
        ("a\\", r"'a\\'"),
        ("a\\b", r"'a\b'"),
        ("a\\'b", r"'a\\\'b'"),
        ("${x}", r"'\${x}'"),
        ("\\${x}", r"'\\\${x}'"),
        ("été", "'été'"),
    ],
)
def test_values_as_hydra_reads_them(value: object, text: str) -> None:
    assert hydra_text(value) == text


def test_the_arguments_of_each_template() -> None:
    assert arguments("--{name}={value}", PARAMS) == [
        "--lr=1e-05",
        "--layers=3",
        "--opt=it's a b",
        "--nesterov=True",
        "--seed_of=None",
    ]
    assert arguments(("--{name}", "{value}"), {"lr": -1}) == ["--lr", "-1"]
    assert arguments("hydra", PARAMS)[2:4] == [r"opt='it\'s a b'", "nesterov=true"]
    assert arguments("{name}={value}", {"opt": "it's"}) == ["opt=it's"]
    assert arguments("flags", {"fast": True, "slow": False, "lr": 0.1, "none": None}) == ["--fast", "--lr=0.1", "--none=None"]
    assert arguments(None, PARAMS) == []


def test_a_configuration_as_json_is_one_argument() -> None:
    params = {"lr": 1e-05, "opt": 'a "b"\n', "fast": True}
    values = {"params_json": json_of(params)}
    found = command_line(["t.py", "--config", "{params_json}"], "--{name}={value}", params, [*params], values)
    assert found[:2] == ["t.py", "--config"]
    assert json.loads(found[2]) == params
    assert len(found) == 3


def built(command: list[str], template: str | None = "--{name}={value}", **params: object) -> list[str]:
    return command_line(command, template, params, ["lr", "opt"], {"folder": "/trial", "params_file": "/p.json"})


def test_arguments_are_appended_unless_the_command_takes_them_otherwise() -> None:
    assert built(["t.py"], lr=1) == ["t.py", "--lr=1"]
    assert built(["t.py", "{args}", "--epochs=3"], lr=1, opt="a") == ["t.py", "--lr=1", "--opt=a", "--epochs=3"]
    assert built(["t.py", "{params_file}"], lr=1) == ["t.py", "/p.json"]
    assert built(["t.py", "--rate", "{lr}", "--out={folder}/x"], lr=1) == ["t.py", "--rate", "1", "--out=/trial/x"]
    assert built(["t.py", "{folder}"], lr=1) == ["t.py", "/trial", "--lr=1"]
    assert built(["t.py"], None, lr=1) == ["t.py"]


def test_arguments_within_a_longer_one_are_quoted_for_a_shell() -> None:
    assert built(["bash", "-c", "t.sh {args} > log"], opt="it's a") == ["bash", "-c", "t.sh '--opt=it'\"'\"'s a' > log"]


def test_an_argument_of_a_parameter_that_is_not_active_is_left_out() -> None:
    assert built(["t.py", "--lr={lr}", "--opt={opt}"], opt="a") == ["t.py", "--opt=a"]


@pytest.mark.parametrize("sign", ["\n", "\r", "\0"])
def test_what_no_command_line_carries_is_refused(sign: str) -> None:
    with pytest.raises(InvalidInput, match=r"value of opt must not hold a line break or a null character.*got 'a"):
        built(["t.py"], opt=f"a{sign}b")
    with pytest.raises(InvalidInput, match="value of opt"):
        check_value("opt", f"a{sign}b")
    assert built(["t.py", "{params_file}"], opt=f"a{sign}b") == ["t.py", "/p.json"]


def test_an_unknown_place_is_refused_with_the_nearest_name() -> None:
    check_places("command[1]", "{lr} {folder} {{x}}", ["lr"])
    with pytest.raises(
        InvalidInput, match=r"command\[1\] must name known places only \(did you mean 'learning_rate'\?.*'\{lerning_rate\}'"
    ):
        check_places("command[1]", "--lr={lerning_rate}", ["learning_rate"])
