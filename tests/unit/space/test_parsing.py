"""Text to trees, and what is said about text that isn't one."""

from __future__ import annotations

import pytest

from tunewright.errors import InvalidExpression
from tunewright.space.expressions import Compare, Literal, Logical, Member, Name, Not, names
from tunewright.space.parsing import DEEPEST, LONGEST_TEXT, parse


def refusal(text: str) -> InvalidExpression:
    with pytest.raises(InvalidExpression) as caught:
        parse(text, "constraints[0]")
    return caught.value


@pytest.mark.parametrize(
    ("text", "position", "problem"),
    [
        ("a ==", 4, "is incomplete: it ends too early"),
        ("", 0, "is incomplete: it ends too early"),
        ("(a > 3", 6, "is incomplete: it ends too early"),
        ("a > 3)", 5, "has an unexpected ')'"),
        ("a = 3", 2, "has an unexpected '=': use '=='"),
        ("a && b", 2, "has an unexpected '&': use 'and'"),
        ("a || b", 2, "has an unexpected '|': use 'or'"),
        ("!a", 0, "has an unexpected '!': use 'not' or '!='"),
        ("a ^ 2 > 1", 2, "has an unexpected '^': use '**'"),
        ("a > $", 4, "has an unexpected '$'"),
        ("a b", 2, "has an unexpected 'b'"),
        ("a < > b", 4, "has an unexpected '>'"),
        ("3a > 2", 1, "has an unexpected 'a'"),
        ("a[0] > 1", 1, "has an unexpected '['"),
        ("a == 'abc", 5, "has no closing '"),
        ('a == "abc', 5, 'has no closing "'),
        ("`a > 3", 0, "has no closing `"),
        ("a == 'x\\q'", 7, "has an unknown escape '\\q'"),
        ("a in []", 5, "has an empty list"),
        ("a in 3", 5, "has an unexpected '3'"),
        ("a > 1e999", 4, "has a number that is too large"),
        ("a > " + "9" * 301, 4, "has a number that is too large"),
        ("lg(a) > 1", 0, "calls an unknown function 'lg' (did you mean 'log'?)"),
        ("1 < log(a, 2)", 4, "calls log with 2 arguments; it takes one argument"),
        ("min(a) > 1", 0, "calls min with 1 arguments; it takes at least two arguments"),
        ("exp() > 1", 0, "calls exp with 0 arguments; it takes one argument"),
        ("__import__('os')", 0, "calls an unknown function '__import__'"),
        ("a.b(3) > 1", 3, "has an unexpected '('"),
        ("lambda: 3", 6, "has an unexpected ':'"),
    ],
)
def test_errors_point_at_the_character(text: str, position: int, problem: str) -> None:
    error = refusal(text)
    assert error.position == position
    assert f"constraints[0] {problem}" in str(error)
    shown, arrow = str(error).splitlines()[-2:] if text else ("    ", "    ^")
    assert shown == f"    {text}"
    assert arrow == "    " + " " * position + "^"


def test_hostile_texts_are_refused_at_once() -> None:
    assert f"is longer than {LONGEST_TEXT} characters" in str(refusal("(" * LONGEST_TEXT + "a"))
    assert f"is nested more than {DEEPEST} deep" in str(refusal("not " * (DEEPEST + 1) + "a"))
    assert f"is nested more than {DEEPEST} deep" in str(refusal("+".join("a" * (DEEPEST + 2)) + " > 1"))
    assert isinstance(parse("not " * (DEEPEST - 2) + "a", "f"), Not)


def test_names_have_parts() -> None:
    assert names(parse("metrics.auc > 0.9 and params.`a.b` <= `val/loss`", "f")) == {
        ("metrics", "auc"),
        ("params", "a.b"),
        ("val/loss",),
    }


def test_words_of_the_language_may_begin_names() -> None:
    text = "nothing == android or trueish in [order, inner] and not notable"
    assert names(parse(text, "f")) == {(n,) for n in ("nothing", "android", "trueish", "order", "inner", "notable")}


def test_functions_are_names_without_a_parenthesis() -> None:
    assert names(parse("log > max", "f")) == {("log",), ("max",)}


def test_literals_have_their_types() -> None:
    tree = parse("a in [1, 1.0, '1', true, True, none, None, false, .5, 1e3, -2]", "f")
    assert isinstance(tree, Member)
    values = [item.value for item in tree.items if isinstance(item, Literal)]
    assert [(type(value), value) for value in values] == [
        (int, 1),
        (float, 1.0),
        (str, "1"),
        (bool, True),
        (bool, True),
        (type(None), None),
        (type(None), None),
        (bool, False),
        (float, 0.5),
        (float, 1000.0),
        (int, -2),
    ]


def test_strings_may_hold_anything() -> None:
    tree = parse("""a == 'it\\'s "x" \\\\ \\n and `b`'""", "f")
    assert isinstance(tree, Compare)
    literal = tree.operands[1]
    assert isinstance(literal, Literal)
    assert literal.value == 'it\'s "x" \\ \n and `b`'


def test_chains_are_one_node() -> None:
    tree = parse("a and b and c", "f")
    assert isinstance(tree, Logical)
    assert [part.parts for part in tree.operands if isinstance(part, Name)] == [("a",), ("b",), ("c",)]
    chain = parse("1 < a <= 3", "f")
    assert isinstance(chain, Compare)
    assert chain.operators == ("<", "<=")
