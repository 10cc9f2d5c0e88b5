"""Hypothesis strategies for parameters, whole spaces and expressions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from tunewright.errors import InvalidSpace
from tunewright.space import Categorical, Float, Int, Parameter, SearchSpace

NAMES = ("alpha", "beta", "gamma", "delta", "epsilon")
SCALARS = st.one_of(st.text(max_size=3), st.integers(-5, 5), st.booleans(), st.none(), st.floats(-2, 2).map(lambda x: x + 0.0))


@st.composite
def floats(draw: Callable[..., Any]) -> Float:
    """Floats without step, on every scale."""
    scale = draw(st.sampled_from(["linear", "log", "reverse_log", "auto"]))
    if scale == "reverse_log":
        low = draw(st.floats(0, 0.9))
        high = draw(st.floats(low, 0.9999))
    elif scale == "log":
        low = draw(st.floats(1e-12, 1e3))
        high = draw(st.floats(low, 1e9))
    else:
        low = draw(st.floats(-1e6, 1e6))
        high = draw(st.floats(low, 1e6))
    # ranges of a few representable numbers are no use to a search, and their values differ by rounding alone
    assume(high - low > 1e-6 * max(1.0, abs(low), abs(high)))
    return Float(low, high, scale=scale)


@st.composite
def stepped_floats(draw: Callable[..., Any], most: int = 8) -> Float:
    """Floats with a step, on every scale, with at most `most` steps."""
    step = draw(st.sampled_from([0.05, 0.1, 0.25, 1.0, 3.0, 1 / 3]))
    count = draw(st.integers(1, most))
    scale = draw(st.sampled_from(["linear", "auto", "log"]))
    low = draw(st.sampled_from([0.05, 0.1, 1.0, 7.5])) if scale == "log" else draw(st.sampled_from([-1.0, 0.0, 0.1, 2.5]))
    return Float(low, low + count * step, step=step, scale=scale)


@st.composite
def ints(draw: Callable[..., Any], most: int = 8) -> Int:
    """Ints with at most `most` steps between their bounds."""
    step = draw(st.integers(1, 4))
    scale = draw(st.sampled_from(["linear", "auto", "log"]))
    low = draw(st.integers(1 if scale == "log" else -20, 20))
    return Int(low, low + step * draw(st.integers(1, most)), step=step, scale=scale)


@st.composite
def large_ints(draw: Callable[..., Any]) -> Int:
    """Ints with up to as many values as a scale allows."""
    scale = draw(st.sampled_from(["linear", "log"]))
    low = draw(st.integers(1, 1000)) if scale == "log" else draw(st.integers(-(2**60), 2**60))
    return Int(low, low + draw(st.integers(1, 2**41 if scale == "log" else 2**50 - 1)), scale=scale)


@st.composite
def categoricals(draw: Callable[..., Any]) -> Categorical:
    """Categoricals of mixed scalars."""
    choices = draw(st.lists(SCALARS, min_size=1, max_size=4, unique_by=lambda choice: (type(choice), choice)))
    return Categorical(choices, ordered=draw(st.booleans()))


FINITE: st.SearchStrategy[Parameter] = st.one_of(stepped_floats(), ints(), categoricals())
ANY: st.SearchStrategy[Parameter] = st.one_of(floats(), FINITE)


@st.composite
def conditions(draw: Callable[..., Any], parents: dict[str, Parameter]) -> Any:
    """A `when` on one or two of the parents, in either form."""
    chosen = draw(st.lists(st.sampled_from(sorted(parents)), min_size=1, max_size=2, unique=True))
    numeric = [name for name in chosen if not isinstance(parents[name], Categorical)]
    if numeric and draw(st.booleans()):
        links = [f"{name} {draw(st.sampled_from(['<=', '>=', '!=']))} {draw(values(parents[name]))!r}" for name in numeric]
        return draw(st.sampled_from([" and ", " or "])).join(links)
    return {name: draw(st.lists(values(parents[name]), min_size=1, max_size=3)) for name in chosen}


def values(parameter: Parameter) -> st.SearchStrategy[Any]:
    """Values of a parameter."""
    if isinstance(parameter, Categorical):
        return st.sampled_from(parameter.choices)
    if isinstance(parameter, Int):
        return st.integers(0, parameter.count - 1).map(lambda index: parameter.low + index * parameter.step)
    assert isinstance(parameter, Float)
    if parameter.step is not None:
        return st.integers(0, int(parameter.count) - 1).map(parameter.level)
    return st.floats(parameter.low, parameter.high)


@st.composite
def spaces(draw: Callable[..., Any], *, finite: bool = False, constrained: bool = True, most: int = len(NAMES)) -> SearchSpace:
    """Spaces of 1 to `most` parameters, some with conditions several levels deep, constraints and fixed values.

    Constraints may leave no point.
    """
    count = draw(st.integers(1, most))
    parameters: dict[str, Parameter] = {}
    for name in NAMES[:count]:
        parameter = draw(FINITE if finite else ANY)
        if parameters and draw(st.booleans()):
            positional, keywords = parameter.arguments()
            parameter = type(parameter)(*positional, **{**keywords, "when": draw(conditions(parameters))})
        parameters[name] = parameter
    declared: dict[str, Any] = {name: parameters[name] for name in draw(st.permutations(list(parameters)))}
    if draw(st.booleans()):
        declared["fixed"] = draw(SCALARS)
    numeric = [name for name, parameter in parameters.items() if not isinstance(parameter, Categorical)]
    constraints = []
    if constrained and numeric and draw(st.booleans()):
        first, second = draw(st.sampled_from(numeric)), draw(st.sampled_from(numeric))
        bound = draw(values(parameters[first]))
        constraints.append(draw(st.sampled_from([f"{first} <= {bound!r}", f"{first} + {second} >= 2 * {bound!r}"])))
    try:
        return SearchSpace(declared, constraints=constraints)
    except InvalidSpace as error:
        assume("can't be true" not in str(error))  # conditions of several levels may contradict each other
        raise


VARIABLES = ("x", "y", "z")
LEAVES = st.one_of(st.integers(0, 20).map(str), st.floats(0, 100, allow_nan=False).map(repr), st.sampled_from(VARIABLES))


def arithmetic() -> st.SearchStrategy[str]:
    """Texts of arithmetic over x, y and z that Python reads the same."""
    return st.recursive(
        LEAVES,
        lambda inner: st.one_of(
            st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "//", "%", "**"]), inner).map(" ".join),
            st.tuples(st.sampled_from(["-", "+"]), inner).map("".join),
            inner.map(lambda text: f"({text})"),
            st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(lambda t: f"{t[0]}({t[1]}, {t[2]})"),
            inner.map(lambda text: f"abs({text})"),
        ),
        max_leaves=8,
    )


def truths() -> st.SearchStrategy[str]:
    """Texts that are true or false, over x, y and z, that Python reads the same.

    Lists hold no arithmetic: ours are read only up to the item that is equal, Python's wholly, which differs where a later
    item is undefined.
    """
    symbol = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
    comparison = st.one_of(
        st.tuples(arithmetic(), symbol, arithmetic()).map(" ".join),
        st.tuples(arithmetic(), symbol, arithmetic(), symbol, arithmetic()).map(" ".join),
        st.tuples(arithmetic(), st.sampled_from(["in", "not in"]), st.lists(LEAVES, min_size=1, max_size=3)).map(
            lambda t: f"{t[0]} {t[1]} [{', '.join(t[2])}]"
        ),
    )
    return st.recursive(
        comparison,
        lambda inner: st.one_of(
            st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(" ".join),
            inner.map(lambda text: f"not {text}"),
            inner.map(lambda text: f"({text})"),
        ),
        max_leaves=4,
    )
