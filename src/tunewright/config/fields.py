"""The kinds of values that keys of a file take, each checked with a rule in words, and with its JSON Schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    PlainValidator,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from tunewright.errors import InvalidInput, nearest
from tunewright.resources import seconds, size_in_bytes

UNKNOWN, RULE = "unknown_key", "rule"  # types of the errors that are raised here


def broken(rule: str) -> PydanticCustomError:
    """An error with a rule in words."""
    return PydanticCustomError(RULE, "{rule}", {"rule": rule})


class Keys(BaseModel):
    """A mapping with known keys only; an unknown one is told with the nearest known."""

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=False, arbitrary_types_allowed=True)
    _elsewhere: ClassVar[Mapping[str, str]] = {}  # keys that people may look for here, and what to do instead

    @model_validator(mode="wrap")
    @classmethod
    def _known_only(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Tells unknown keys together with whatever else is wrong."""
        if not isinstance(data, dict):
            raise broken("must be a mapping of keys and values")
        known = [field.alias or name for name, field in cls.model_fields.items()]
        hints = {key: cls._elsewhere.get(key) or nearest(str(key), known) for key in data if key not in known}
        if not hints:
            return handler(data)
        problems: list[InitErrorDetails] = [
            {"type": PydanticCustomError(UNKNOWN, "{hint}", {"hint": hint}), "loc": (key,), "input": data[key]}
            for key, hint in hints.items()
        ]
        try:
            handler({key: value for key, value in data.items() if key in known})
        except ValidationError as error:
            problems += [_again(details) for details in error.errors(include_url=False)]
        raise ValidationError.from_exception_data(cls.__name__, problems)


def _again(details: ErrorDetails) -> InitErrorDetails:
    """An error as it was, to be raised once more."""
    context = {**details.get("ctx", {}), "rule": details.get("ctx", {}).get("rule") or details["msg"]}
    kind = PydanticCustomError(details["type"], "{rule}", context)
    return {"type": kind, "loc": details["loc"], "input": details["input"]}


def _checked(holds: Callable[[Any], bool], rule: str) -> PlainValidator:
    def check(value: Any) -> Any:
        if not holds(value):
            raise broken(rule)
        return value

    return PlainValidator(check)


def _converted(convert: Callable[[str, Any], Any]) -> PlainValidator:
    """Checked by a function of the house, whose rule is told; the value stays as it was written."""

    def check(value: Any) -> Any:
        try:
            convert("value", value)
        except InvalidInput as error:
            raise broken(error.rule) from None
        return value

    return PlainValidator(check)


def is_number(value: object) -> bool:
    """Whether it is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_scalar(value: object) -> bool:
    """Whether it is a text, a number, a truth value or null."""
    return value is None or isinstance(value, str | int | float | bool)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_texts(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
Number = Annotated[Any, _checked(is_number, "must be a number"), WithJsonSchema({"type": "number"})]
Whole = Annotated[Any, _checked(_is_whole, "must be a whole number"), WithJsonSchema({"type": "integer"})]
Truth = Annotated[
    Any, _checked(lambda value: isinstance(value, bool), "must be true or false"), WithJsonSchema({"type": "boolean"})
]
Text = Annotated[
    Any,
    _checked(lambda value: isinstance(value, str) and bool(value), "must be a text"),
    WithJsonSchema({"type": "string", "minLength": 1}),
]
Scalar = Annotated[
    Any,
    _checked(is_scalar, "must be a text, a number, true, false or null"),
    WithJsonSchema({"type": ["string", "number", "boolean", "null"]}),
]
Texts = Annotated[Any, _checked(_is_texts, "must be a mapping of names and texts"), WithJsonSchema(_TEXTS)]
Bounds = Annotated[
    Any,
    _checked(
        lambda value: isinstance(value, list) and len(value) == 2 and all(map(is_number, value)),
        "must be a list of two numbers, [low, high]",
    ),
    WithJsonSchema({"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}),
]
Choices = Annotated[
    Any,
    _checked(lambda value: isinstance(value, list | dict), "must be a list of choices, or a mapping of their names"),
    WithJsonSchema({"type": ["array", "object"], "minItems": 1, "minProperties": 1}),
]
Condition = Annotated[
    Any,
    _checked(lambda value: isinstance(value, str | dict), "must be an expression, or a mapping of a parameter and its values"),
    WithJsonSchema({"type": ["string", "object"]}),
]
Command = Annotated[
    Any,
    _checked(
        lambda value: (
            bool(value)
            and (isinstance(value, str) or (isinstance(value, list) and all(isinstance(part, str) for part in value)))
        ),
        "must be a list of texts (numbers in double quotes), or one text",
    ),
    WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}, "minItems": 1, "minLength": 1}),
]
Addresses = Annotated[
    Any,
    _checked(
        lambda value: isinstance(value, str) or (isinstance(value, list) and all(isinstance(one, str) for one in value)),
        "must be an address, or a list of them",
    ),
    WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}}),
]
Template = Annotated[
    Any,
    _checked(
        lambda value: (
            bool(value)
            and (isinstance(value, str) or (isinstance(value, list) and all(isinstance(part, str) for part in value)))
        ),
        "must be a text with the places {name} and {value}, a list of such texts, hydra, or flags",
    ),
    WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}, "minItems": 1, "minLength": 1}),
]
Parallel = Annotated[
    Any,
    _checked(lambda value: value == "auto" or _is_whole(value), "must be a whole number, or auto"),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"const": "auto"}]}),
]
Tags = Annotated[
    Any,
    _checked(
        lambda value: _is_texts(value) or (isinstance(value, list) and all(isinstance(tag, str) for tag in value)),
        "must be a mapping of names and texts, or a list of words",
    ),
    WithJsonSchema({"type": ["object", "array"], "additionalProperties": {"type": "string"}, "items": {"type": "string"}}),
]
Duration = Annotated[Any, _converted(seconds), WithJsonSchema({"type": ["number", "string"]})]
Size = Annotated[Any, _converted(size_in_bytes), WithJsonSchema({"type": ["integer", "string"]})]
