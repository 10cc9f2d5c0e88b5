from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from tunewright.config.document import Problem, parse_document, read_document
from tunewright.errors import InvalidInput


def data_of(text: str, *, old: bool = False) -> Any:
    return parse_document(text, "f.yaml", old=old).data


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-5", 1e-5),
        ("1E5", 1e5),
        (".5", 0.5),
        ("-1.5e+3", -1500.0),
        ("12", 12),
        ("-012", -12),
        ("0x1F", 31),
        ("0o17", 15),
        (".inf", math.inf),
        ("-.inf", -math.inf),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("on", "on"),
        ("no", "no"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("2026-11-24", "2026-11-24"),
        ("1e", "1e"),
        ('"1e-5"', "1e-5"),
        ("!!str 1", "1"),
        ("!!float 1", 1.0),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    found = data_of(f"x: {text}")["x"]
    assert type(found) is type(value)
    assert found == value


def test_not_a_number_and_an_empty_value() -> None:
    assert math.isnan(data_of("x: .nan")["x"])
    assert data_of("x:\ny: 1") == {"x": None, "y": 1}
    assert data_of("") is None
    assert data_of("# nothing") is None


def test_old_truth_values_where_they_are_asked_for() -> None:
    assert data_of("[on, Off, yes, NO, 1e-5]", old=True) == [True, False, True, False, 1e-5]


def test_keys_are_texts_whatever_they_look_like() -> None:
    assert data_of("{on: 1, 2: b, true: c, null: d}") == {"on": 1, "2": "b", "true": "c", "null": "d"}


def test_json_is_yaml() -> None:
    assert data_of('{"a": [1, 2.5, null, "x"], "b": {"c": true}}') == {"a": [1, 2.5, None, "x"], "b": {"c": True}}


def test_lines_of_keys_and_items() -> None:
    document = parse_document("a: 1\nb:\n  c:\n    - x\n    - y\n  d: {e: 1}\n", "f.yaml")
    assert document.lines == {
        ("a",): 1, ("b",): 2, ("b", "c"): 3, ("b", "c", 0): 4, ("b", "c", 1): 5, ("b", "d"): 6, ("b", "d", "e"): 6,
    }  # fmt: skip
    assert document.place(("b", "c", 1)) == "f.yaml:5: b.c[1]"
    assert document.place(("b", "c", 7)) == "f.yaml:3: b.c[7]"
    assert document.place(("z",)) == "f.yaml:1: z"
    assert document.place(()) == "f.yaml:1:"


def test_anchors_and_merged_mappings_as_people_use_them() -> None:
    text = "base: &b {x: 1, y: 2}\nmine:\n  <<: *b\n  y: 3\nagain: *b\n"
    document = parse_document(text, "f.yaml")
    assert document.data == {"base": {"x": 1, "y": 2}, "mine": {"y": 3, "x": 1}, "again": {"x": 1, "y": 2}}
    assert document.lines["mine", "y"] == 4
    assert document.lines["mine", "x"] == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: [1, 2\n", "f.yaml:3: must be YAML; expected ',' or ']'"),
        ("a: 1\n b: 2", "f.yaml:2: must be YAML; mapping values are not allowed here"),
        ("a: 1\nb: 2\na: 3", "f.yaml:3: repeats the key 'a', from line 1"),
        ("a: !!python/object:os.system ls", "f.yaml:1: must be a text, a number, a truth value or null, without a tag; got"),
        ("a: !!set {x}", "f.yaml:1: must be a mapping, a list or a scalar, without a tag; got"),
        ("? [a]\n: 1", "f.yaml:1: must have a text as key"),
        ("a: !!int x", "f.yaml:1: must be a number after !!int; got 'x'"),
        ("a: {<<: 3}", "f.yaml:1: must be a mapping, or a list of them, after <<"),
        ("a: *b", "f.yaml:1: must be YAML; found undefined alias 'b'"),
        ("a: 1\n--- \nb: 2", "f.yaml:2: must be YAML; but found another document"),
        ("&a [*a]", "f.yaml:1: must hold at most 100000 values in 50 levels"),
        ("[" * 5000, "must"),
    ],
)
def test_what_is_no_document_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_document(text, "f.yaml")
    assert message in str(caught.value)
    assert str(caught.value).startswith("f.yaml")


def test_aliases_of_aliases_cannot_fill_the_memory() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(InvalidInput, match="must hold at most 100000 values"):
        parse_document("\n".join(lines), "f.yaml")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"nothing.yaml must be a file that can be read \(No such file or directory\)"):
        read_document(tmp_path / "nothing.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9")
    with pytest.raises(InvalidInput, match=r"must be a text in UTF-8 \(byte 3 is none\)"):
        read_document(tmp_path / "latin.yaml")
    (tmp_path / "large.yaml").write_bytes(b"#" * 1_000_001)
    with pytest.raises(InvalidInput, match="must be at most 1000000 bytes long"):
        read_document(tmp_path / "large.yaml")
    (tmp_path / "marked.yaml").write_bytes(b"\xef\xbb\xbfa: 1")
    assert read_document(tmp_path / "marked.yaml").data == {"a": 1}


def test_problems_are_told_a_line_each_in_the_order_of_the_file() -> None:
    document = parse_document("a: 1\nb:\n  c: 2\n", "f.yaml")
    error = document.error([Problem(("b", "c"), "must be 1", (2,)), Problem(("a",), "must go")])
    assert str(error) == "f.yaml:1: a must go\n       f.yaml:3: b.c must be 1; got 2"
    assert error.field == "f.yaml:1: a"


@pytest.mark.parametrize(
    ("field", "line"),
    [("resources.memory", 2), ("resources", 1), ("command[1]", 5), ("command", 3), ("env['A']", 7), ("resources.cpus", 1)],
)
def test_an_error_from_elsewhere_gets_its_line(field: str, line: int) -> None:
    text = "resources:\n  memory: x\ncommand:\n  - a\n  - b\nenv:\n  A: 1\n"
    document = parse_document(text, "f.yaml")
    error = document.located(InvalidInput(field, "must be good", 1))
    assert str(error) == f"f.yaml:{line}: {field} must be good; got 1"
    assert str(document.located(InvalidInput("other", "must be good"))) == "other must be good"
