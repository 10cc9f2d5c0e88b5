"""Parameters as they are written on a command line.

    -p NAME=SPEC[:OPTION]...

    SPEC     LOW..HIGH         a range: whole numbers when both bounds are (1..6), else real numbers (0..0.5, 1e-5..1e-1)
             A,B,C             choices; numbers are ordered
             A                 one fixed value
    OPTION   log, linear, reverse_log      the scale of a range
             float, int                    the kind of a range, where the bounds don't tell it
             step=NUMBER                   the distance between the values of a range
             ordered, unordered            whether choices have an order
             default=VALUE                 the value to try first
             when=EXPRESSION               active only then; the last option, everything after it belongs to it

A value is a number, true, false, null, or text; a text with a comma, a colon or spaces at its ends, or one that looks like
another value, is written in double quotes, as in JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

from tunewright.errors import InvalidSpace, nearest
from tunewright.space import Categorical, Float, Int

Parameter = Float | Int | Categorical
Scalar = None | bool | int | float | str

OPTIONS = ("log", "linear", "reverse_log", "float", "int", "step", "ordered", "unordered", "default", "when")
SCALES = ("log", "linear", "reverse_log")
NUMBER = r"[+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?"
WHOLE = r"[+-]?\d+"
CONSTANTS: dict[str, Scalar] = {"true": True, "false": False, "null": None, "none": None}


def read_parameters(texts: Iterable[str]) -> dict[str, Parameter | Scalar]:
    """Several `NAME=SPEC` by name, in their order.

    Raises:
        InvalidSpace: one of them breaks the grammar or a rule of its kind, or a name comes twice.
    """
    found: dict[str, Parameter | Scalar] = {}
    for text in texts:
        name, value = read_parameter(text)
        if name in found:
            raise InvalidSpace(f"-p {text}", f"repeats the parameter {name!r}")
        found[name] = value
    return found


def read_parameter(text: str) -> tuple[str, Parameter | Scalar]:
    """One `NAME=SPEC`: its name, and a parameter, or the plain value of a fixed one.

    Raises:
        InvalidSpace: it breaks the grammar, or a rule of its kind.
    """
    name, equals, spec = text.partition("=")
    name = name.strip()
    if not equals or not name or not spec.strip():
        _refuse(text, "must be NAME=SPEC, such as lr=1e-5..1e-1:log, layers=1..6 or opt=sgd,adam")
    body, options = _options(text, spec)
    try:
        range_ = re.fullmatch(rf"\s*({NUMBER})\.\.({NUMBER})\s*", body)
        if range_:
            return name, _range(text, range_[1], range_[2], options)
        if re.search(r"\d\.\.|\.\.[\d+-]", body) and '"' not in body:
            _refuse(text, f"must have a number on both sides of the two dots; {body.strip()!r} has not")
        values = [read_value(text, part) for part in _split(text, body, ",")]
        return name, _choices(text, values, options)
    except InvalidSpace as error:
        if str(error).startswith("-p "):
            raise
        raise InvalidSpace(f"-p {text}:", str(error)) from None


def read_value(text: str, part: str) -> Scalar:
    """One value: a number, true, false, null, or text, in double quotes where it has to be.

    Args:
        text: what it is a part of, for the error.

    Raises:
        InvalidSpace: it is empty, or an unfinished quotation.
    """
    part = part.strip()
    if not part:
        _refuse(text, 'has an empty value; an empty text is written ""')
    if part.lower() in CONSTANTS:
        return CONSTANTS[part.lower()]
    if re.fullmatch(WHOLE, part):
        return int(part)
    if re.fullmatch(NUMBER, part):
        return float(part)
    if part.startswith('"'):
        try:
            return str(json.loads(part))
        except ValueError:
            _refuse(text, f"has a text in quotes that is not valid: {part}")
    return part


def _range(text: str, low: str, high: str, options: dict[str, str]) -> Parameter:
    for name in ("ordered", "unordered"):
        if name in options:
            _refuse(text, f"can't have the option {name!r}: a range of numbers always has an order")
    scales = [name for name in SCALES if name in options]
    if len(scales) > 1:
        _refuse(text, f"must have one scale; got {' and '.join(scales)}")
    if "float" in options and "int" in options:
        _refuse(text, "must be one of float and int")
    keywords: dict[str, Any] = {"scale": scales[0] if scales else "auto", "when": options.get("when")}
    for name in ("step", "default"):
        if name in options:
            keywords[name] = read_value(text, options[name])
    if "int" in options or ("float" not in options and re.fullmatch(WHOLE, low) and re.fullmatch(WHOLE, high)):
        return Int(_whole(text, low), _whole(text, high), **keywords)
    return Float(float(low), float(high), **keywords)


def _choices(text: str, values: list[Scalar], options: dict[str, str]) -> Parameter | Scalar:
    for name in (*SCALES, "float", "int", "step"):
        if name in options:
            _refuse(text, f"can't have the option {name!r}, which is for a range such as 1..6")
    if "ordered" in options and "unordered" in options:
        _refuse(text, "must be one of ordered and unordered")
    if len(values) == 1:
        if options:
            _refuse(text, f"is one fixed value and can't have the option {next(iter(options))!r}")
        return values[0]
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    default = read_value(text, options["default"]) if "default" in options else None
    ordered = "ordered" in options or (numeric and "unordered" not in options)
    return Categorical(values, ordered=ordered, default=default, when=options.get("when"))


def _options(text: str, spec: str) -> tuple[str, dict[str, str]]:
    """The part before the options, and the options by name."""
    head, found, condition = _split_condition(text, spec)
    parts = list(_split(text, head, ":"))
    options: dict[str, str] = {}
    for part in parts[1:]:
        name, equals, value = part.strip().partition("=")
        if name not in OPTIONS:
            _refuse(
                text,
                f"has an unknown option {part.strip()!r} ({nearest(name, OPTIONS)}); a colon in a value needs double quotes",
            )
        if name in options:
            _refuse(text, f"repeats the option {name!r}")
        if bool(equals) != (name in ("step", "default")):
            _refuse(
                text,
                f"needs the option as {name}=VALUE" if not equals else f"has a value for the option {name!r}, which takes none",
            )
        options[name] = value
    if found:
        options["when"] = condition
    return parts[0], options


def _split_condition(text: str, spec: str) -> tuple[str, bool, str]:
    """What stands before `:when=`, whether that is there, and the expression after it."""
    pieces = list(_split(text, spec, ":", unfinished=True))
    taken = 0
    for position, piece in enumerate(pieces):
        if position and re.match(r"\s*when\s*=", piece):
            condition = spec[taken:].partition("=")[2].strip()
            if not condition:
                _refuse(text, "has an empty condition after when=")
            return spec[: taken - 1], True, condition
        taken += len(piece) + 1
    return spec, False, ""


def _split(text: str, body: str, separator: str, *, unfinished: bool = False) -> Iterator[str]:
    """The parts between separators outside of double quotes."""
    start, quoted, escaped = 0, False, False
    for position, character in enumerate(body):
        if escaped:
            escaped = False
        elif character == "\\" and quoted:
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == separator and not quoted:
            yield body[start:position]
            start = position + 1
    if quoted and not unfinished:
        _refuse(text, "has a double quote that is never closed")
    yield body[start:]


def _whole(text: str, number: str) -> int:
    value = float(number)
    if not value.is_integer():
        _refuse(text, f"must have whole bounds with the option 'int'; got {number}")
    return int(value)


def _refuse(text: str, rule: str) -> NoReturn:
    raise InvalidSpace(f"-p {text}", rule)
