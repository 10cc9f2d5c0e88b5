"""Any value survives the command line."""

from __future__ import annotations

import argparse
import json
import subprocess

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import tunewright as tw
from tunewright.errors import InvalidInput
from tunewright.executors.script_task import DEFAULT, Script
from tunewright.executors.script_template import command_line, escape, fill, places, text_of

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
ODD = st.sampled_from(
    [
        "",
        " ",
        "-",
        "--",
        "-1",
        "-x",
        "--lr=3",
        "'",
        '"',
        "it's",
        "a b",
        "$HOME",
        "`id`",
        "*",
        "\\",
        "\t",
        "{lr}",
        "{{x}}",
        "é",
        "🙂",
        "=",
        "\u2028",
        "%s",
        ";",
        "#",
    ]
)
TEXTS = st.one_of(ODD, st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\0"), max_size=20))
NUMBERS = st.one_of(st.integers(), st.floats(allow_nan=False))
PARAMS = st.dictionaries(NAMES, st.one_of(TEXTS, NUMBERS, st.booleans(), st.none()), max_size=5)


def received(arguments: list[str]) -> list[str]:
    """What a process that is started with these arguments gets."""
    done = subprocess.run(["printf", "%s\\0", *arguments], stdout=subprocess.PIPE, check=True)
    return done.stdout.decode().split("\0")[:-1]


@settings(max_examples=60)
@given(PARAMS)
def test_a_process_gets_each_value_as_it_is(params: dict[str, object]) -> None:
    argv = command_line(["train", "{args}", "end"], DEFAULT, params, params, {})
    assert argv == ["train", *(f"--{name}={text_of(value)}" for name, value in params.items()), "end"]
    assert received(argv) == argv


@settings(max_examples=60)
@given(PARAMS)
def test_a_shell_gets_each_value_as_it_is(params: dict[str, object]) -> None:
    argv = command_line(["bash", "-c", "printf '%s\\0' {args} end"], DEFAULT, params, params, {})
    done = subprocess.run(argv, stdout=subprocess.PIPE, check=True)
    assert done.stdout.decode().split("\0")[:-1] == [*(f"--{name}={text_of(value)}" for name, value in params.items()), "end"]


@given(PARAMS)
def test_argparse_reads_each_value(params: dict[str, object]) -> None:
    assume("--" not in params.values())  # argparse of Python 3.11 and 3.12 takes `--a=--` for no value, whoever wrote it
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for name in params:
        parser.add_argument(f"--{name}")
    read = vars(parser.parse_args(command_line(["train"], DEFAULT, params, params, {})[1:]))
    assert read == {name: text_of(value) for name, value in params.items()}


@given(NUMBERS)
def test_numbers_are_read_back_exactly(value: float) -> None:
    assert type(value)(text_of(value)) == value


@given(PARAMS, st.text(max_size=30), TEXTS)
def test_what_is_filled_in_is_never_filled_in_again(params: dict[str, object], text: str, value: str) -> None:
    assert fill(escape(text), {name: text_of(value) for name, value in params.items()}) == text
    assert command_line(["{lr}"], None, {"lr": value}, ["lr"], {"args": "!", "folder": "!"}) == [value]
    assert places(escape(text)) == []


@given(TEXTS, st.sampled_from(["\n", "\r", "\0"]), TEXTS)
def test_line_breaks_and_null_characters_are_refused(before: str, sign: str, after: str) -> None:
    with pytest.raises(InvalidInput, match="value of text must not hold a line break or a null character"):
        command_line(["train"], DEFAULT, {"text": f"{before}{sign}{after}"}, ["text"], {})
    with pytest.raises(InvalidInput, match="value of text must not hold a line break or a null character"):
        Script("printf").check(tw.SearchSpace({"text": tw.Categorical(["a", f"{before}{sign}{after}!"])}))


@given(
    st.lists(TEXTS, min_size=1, max_size=4).filter(lambda command: bool(command[0])),
    st.dictionaries(NAMES, st.just("x=([0-9]+)"), max_size=3),
    st.dictionaries(NAMES, TEXTS, max_size=3),
)
def test_a_script_survives_json(command: list[str], metrics: dict[str, str], env: dict[str, str]) -> None:
    script = Script(command, metrics=metrics, env=env)
    assert Script.from_json(json.loads(json.dumps(script.to_json()))) == script
