"""Whether an expression fits the kinds of values that its names can have: arithmetic on text is found before it runs."""

from __future__ import annotations

from collections.abc import Mapping

from tunewright.errors import InvalidExpression
from tunewright.space.expressions import Binary, Call, Compare, Literal, Logical, Member, Name, Negative, Node, Not
from tunewright.space.intervals import Domain, Range

NUMBER, TEXT, TRUTH, NONE = "a number", "text", "true or false", "none"
Kinds = frozenset[str]


def check_kinds(field: str, text: str, tree: Node, domains: Mapping[str, Domain]) -> None:
    """Refuses an expression that has no value whatever its names are, or that is not true or false.

    Args:
        field, text: which expression, and its text, for errors.
        tree: the expression.
        domains: the values of each name.

    Raises:
        InvalidExpression: it points at the part that doesn't fit.
    """
    _Check(field, text, domains).want(tree, TRUTH, "must be true or false, as a comparison is")


class _Check:
    def __init__(self, field: str, text: str, domains: Mapping[str, Domain]) -> None:
        self.field, self.text, self.domains = field, text, domains

    def want(self, node: Node, kind: str, rule: str) -> None:
        found = self.kinds(node)
        if kind not in found:
            problem = f"{rule}; this is {' or '.join(sorted(found))}"
            raise InvalidExpression(self.field, self.text, node.position, problem)

    def kinds(self, node: Node) -> Kinds:
        """What the node's value can be; its parts are checked on the way."""
        operands: tuple[Node, ...]
        match node:
            case Literal(value=value):
                return frozenset({_kind(value)})
            case Name(parts=parts):
                values = self.domains[parts[0]]
                return frozenset({NUMBER}) if isinstance(values, Range) else frozenset(map(_kind, values))
            case Negative(operand=operand):
                operands, result, rule = (operand,), NUMBER, "needs a number after '-'"
            case Binary(operator=symbol, left=left, right=right):
                operands, result, rule = (left, right), NUMBER, f"needs numbers for {symbol!r}"
            case Call(function=function, arguments=arguments):
                operands, result, rule = arguments, NUMBER, f"needs numbers for {function}"
            case Not(operand=operand):
                operands, result, rule = (operand,), TRUTH, "needs true or false after 'not'"
            case Logical(every=every, operands=both):
                operands, result, rule = both, TRUTH, f"needs true or false for {'and' if every else 'or'!r}"
            case Compare(operands=compared, operators=symbols):
                return self._compared(compared, symbols)
            case Member():
                for part in node.children():
                    self.kinds(part)
                return frozenset({TRUTH})
            case _:
                raise AssertionError(f"unknown node {type(node).__name__}")
        for operand in operands:
            self.want(operand, result, rule)
        return frozenset({result})

    def _compared(self, operands: tuple[Node, ...], symbols: tuple[str, ...]) -> Kinds:
        found = [self.kinds(operand) for operand in operands]
        for index, symbol in enumerate(symbols):
            shared = found[index] & found[index + 1] & {NUMBER, TEXT}
            if symbol not in ("==", "!=") and not shared:
                kinds = f"{' or '.join(sorted(found[index]))} with {' or '.join(sorted(found[index + 1]))}"
                problem = f"can't order {kinds} by {symbol!r}"
                raise InvalidExpression(self.field, self.text, operands[index + 1].position, problem)
        return frozenset({TRUTH})


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return TRUTH
    if isinstance(value, str):
        return TEXT
    return NONE if value is None else NUMBER
