"""The expression language: text to a tree. The grammar is `expressions.lark`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tunewright.errors import InvalidExpression, nearest
from tunewright.space.expressions import Binary, Call, Compare, Literal, Logical, Member, Name, Negative, Node, Not

if TYPE_CHECKING:
    from lark import Lark
    from lark.exceptions import UnexpectedInput

# name -> smallest and largest number of arguments
FUNCTIONS = {"abs": (1, 1), "exp": (1, 1), "log": (1, 1), "sqrt": (1, 1), "min": (2, 99), "max": (2, 99)}
LONGEST_TEXT = 10_000
DEEPEST = 200  # of nested operations: well inside of what Python's own recursion allows


def parse(text: str, field: str) -> Node:
    """The tree of an expression.

    Args:
        text: the expression.
        field: what it is, for errors (`"constraints[0]"`).

    Raises:
        InvalidExpression: a syntax error; it points at the character.
    """
    from lark.exceptions import UnexpectedInput

    if len(text) > LONGEST_TEXT:
        raise InvalidExpression(field, text[:80] + "...", 0, f"is longer than {LONGEST_TEXT} characters")
    try:
        tree: Any = _parser().parse(text)
    except _Refused as refused:
        raise InvalidExpression(field, text, refused.position, refused.problem) from None
    except UnexpectedInput as error:
        position, problem = _syntax_problem(error, text)
        raise InvalidExpression(field, text, position, problem) from None
    if tree.depth > DEEPEST:
        raise InvalidExpression(field, text, 0, f"is nested more than {DEEPEST} deep")
    return tree  # type: ignore[no-any-return]


class _Refused(Exception):
    """The builder's complaint about text that the grammar alone lets pass."""

    def __init__(self, position: int, problem: str) -> None:
        super().__init__(problem)
        self.position, self.problem = position, problem


_INSTEAD = {"=": "'=='", "&": "'and'", "|": "'or'", "!": "'not' or '!='", "^": "'**'"}


def _syntax_problem(error: UnexpectedInput, text: str) -> tuple[int, str]:
    from lark.exceptions import UnexpectedCharacters, UnexpectedToken

    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        return len(text), "is incomplete: it ends too early"
    if isinstance(error, UnexpectedToken):
        return error.token.start_pos or 0, f"has an unexpected {str(error.token)!r}"
    assert isinstance(error, UnexpectedCharacters)
    position = error.pos_in_stream or 0
    character = text[position]
    if character in "\"'`":
        return position, f"has no closing {character}"
    hint = f": use {_INSTEAD[character]}" if character in _INSTEAD else ""
    return position, f"has an unexpected {character!r}{hint}"


_cached: list[Lark] = []  # built when first used: it takes some 10 ms


def _parser() -> Lark:
    if not _cached:
        from importlib.resources import files

        from lark import Lark

        grammar = (files("tunewright.space") / "expressions.lark").read_text(encoding="utf-8")
        _cached.append(Lark(grammar, parser="lalr", transformer=_builder(), maybe_placeholders=False))
    return _cached[0]


_ESCAPES = {"n": "\n", "t": "\t", "\\": "\\", "'": "'", '"': '"'}


def _unescape(body: str, position: int) -> str:
    parts, rest = [], iter(enumerate(body))
    for index, character in rest:
        if character == "\\":
            _, escaped = next(rest)
            if escaped not in _ESCAPES:
                raise _Refused(position + index, f"has an unknown escape '\\{escaped}'")
            character = _ESCAPES[escaped]
        parts.append(character)
    return "".join(parts)


def _number(text: str, position: int) -> int | float:
    if text.isdigit():
        if len(text) > 300:
            raise _Refused(position, "has a number that is too large")
        return int(text)
    value = float(text)
    if not math.isfinite(value):
        raise _Refused(position, "has a number that is too large")
    return value


def _logical(every: bool, left: Node, right: Node) -> Logical:
    """Joins chains, so that `a and b and c` is one node."""
    first = left.operands if isinstance(left, Logical) and left.every is every else (left,)
    return Logical(every, (*first, right), left.position)


def _call(name: Any, arguments: list[Any]) -> Call:
    function, position = str(name), name.start_pos
    if function not in FUNCTIONS:
        raise _Refused(position, f"calls an unknown function {function!r} ({nearest(function, FUNCTIONS)})")
    least, most = FUNCTIONS[function]
    if not least <= len(arguments) <= most:
        wanted = "one argument" if most == 1 else "at least two arguments"
        raise _Refused(position, f"calls {function} with {len(arguments)} arguments; it takes {wanted}")
    return Call(function, tuple(arguments), position)


def _builder() -> Any:
    """Lark's transformer: a method per rule of the grammar that builds its node."""
    from lark import Transformer

    class Builder(Transformer):  # type: ignore[type-arg]
        def number(self, found: list[Any]) -> Node:
            return Literal(_number(str(found[0]), found[0].start_pos), found[0].start_pos)

        def text(self, found: list[Any]) -> Node:
            start = found[0].start_pos
            return Literal(_unescape(str(found[0])[1:-1], start + 1), start)

        def true(self, found: list[Any]) -> Node:
            return Literal(True, found[0].start_pos)

        def false(self, found: list[Any]) -> Node:
            return Literal(False, found[0].start_pos)

        def none(self, found: list[Any]) -> Node:
            return Literal(None, found[0].start_pos)

        def name(self, found: list[Any]) -> Node:
            return Name(tuple(str(part).strip("`") for part in found), found[0].start_pos)

        def call(self, found: list[Any]) -> Node:
            return _call(found[0], found[1:])

        def signed(self, found: list[Any]) -> Node:
            sign, operand = found
            # the sign of a number is its own: -1 is a literal, and +x is x
            if isinstance(operand, Literal) and isinstance(operand.value, int | float) and operand.value is not True:
                return Literal(-operand.value if sign == "-" else operand.value, sign.start_pos)
            return (
                Negative(operand, sign.start_pos)
                if sign == "-"
                else Binary("+", Literal(0, sign.start_pos), operand, sign.start_pos)
            )

        def binary(self, found: list[Any]) -> Node:
            left, operator, right = found
            return Binary(str(operator), left, right, left.position)

        def compare(self, found: list[Any]) -> Node:
            return Compare(tuple(found[::2]), tuple(map(str, found[1::2])), found[0].position)

        def listed(self, found: list[Any]) -> Any:
            if len(found) == 1:
                raise _Refused(found[0].start_pos, "has an empty list")
            return tuple(found[1:])

        def member(self, found: list[Any]) -> Node:
            return Member(found[0], found[2], found[0].position)

        def no_member(self, found: list[Any]) -> Node:
            return Not(Member(found[0], found[3], found[0].position), found[0].position)

        def negate(self, found: list[Any]) -> Node:
            return Not(found[1], found[0].start_pos)

        def both(self, found: list[Any]) -> Node:
            return _logical(True, *found)

        def either(self, found: list[Any]) -> Node:
            return _logical(False, *found)

    return Builder()
