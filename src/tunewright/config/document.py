"""A YAML file as plain data that knows the line of each of its keys, so that an error can say where it is.

Scalars are those of YAML 1.2's core schema: `1e-5` is a number, and `on` and `no` are texts. With `old`, `on`, `off`, `yes` and
`no` are the truth values that they are in YAML 1.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tunewright.errors import InvalidInput

Keys = tuple[str | int, ...]  # from the top of a document to a value in it: ("space", "lr", "float", 0)
_LARGEST = 1_000_000  # bytes
_MOST_NODES = 100_000  # so that aliases of aliases can't fill the memory
_DEEPEST = 50
_TAG = "tag:yaml.org,2002:"
_NUMBER = r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
_SCALARS = (
    ("null", r"~|null|Null|NULL|", "~nN"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", rf"{_NUMBER}|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", "-+.0123456789"),
    ("merge", "<<", "<"),
)
_OLD_TRUTHS = ("bool", r"yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF", "yYnNoO")
_TRUE = frozenset({"true", "yes", "on"})


class Problem(NamedTuple):
    """What is wrong in a document: where, which rule is broken, and, if it helps, the value in a tuple."""

    keys: Keys
    rule: str
    value: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """The data of a file, and where it stands.

    Attributes:
        name: of the file, as it was given.
        data: its mappings, lists and scalars.
        lines: the line of each key and each list's item, from 1.
    """

    name: str
    data: Any
    lines: Mapping[Keys, int] = field(repr=False)

    def place(self, keys: Keys) -> str:
        """A place for people, `tune.yaml:4: space.lr.scale`; the line is that of the nearest key that is there."""
        shown = ""
        for key in keys:
            shown += f"[{key}]" if isinstance(key, int) else f".{key}" if shown else key
        return f"{self.name}:{self.line(keys)}:{f' {shown}' if shown else ''}"

    def line(self, keys: Keys) -> int:
        """The line of a place, or of the nearest one around it that is there; the first one for what is missing at the top."""
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return self.lines.get(keys, 1)

    def error(self, problems: Iterable[Problem]) -> InvalidInput:
        """An error that tells one or several problems, a line each."""
        ordered = sorted(problems, key=lambda problem: self.line(problem.keys))
        errors = [InvalidInput(self.place(keys), rule, *value) for keys, rule, value in ordered]
        first = errors[0]
        first.args = ("\n       ".join(str(error) for error in errors),)
        return first

    def keys_of(self, field_name: str) -> Keys | None:
        """The keys that an error's field names, such as `resources.memory` or `command[2]`; None when the file has none."""
        found: Keys = ()
        for part in re.findall(r"""\[['"](.*?)['"]\]|\[(\d+)\]|([^.\[\]: ]+)""", field_name):
            key: str | int = int(part[1]) if part[1] else part[0] or part[2]
            if (*found, key) not in self.lines:
                break
            found = (*found, key)
        return found or None

    def located(self, error: InvalidInput) -> InvalidInput:
        """The same error with its place in the file in front, if the file has what it names."""
        keys = self.keys_of(error.field)
        if keys is None:
            return error
        error.args = (f"{self.name}:{self.lines[keys]}: {error.args[0]}",)
        return error


def read_document(path: Path, *, old: bool = False) -> Document:
    """Reads a file.

    Args:
        old: read truth values as YAML 1.1 does.

    Raises:
        InvalidInput: there is no such file, it is no YAML, or it holds something else than mappings, lists and scalars.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise InvalidInput(str(path), f"must be a file that can be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise InvalidInput(str(path), f"must be a text in UTF-8 (byte {error.start} is none)") from None
    if len(content) > _LARGEST:
        raise InvalidInput(str(path), f"must be at most {_LARGEST} bytes long")
    return parse_document(text, str(path), old=old)


def parse_document(text: str, name: str, *, old: bool = False) -> Document:
    """Reads a text; see `read_document`."""
    try:
        node = yaml.compose(text, Loader=_loader(old))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{name}:{mark.line + 1}:" if mark is not None else name
        raise InvalidInput(place, f"must be YAML; {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise InvalidInput(name, f"must be YAML; {error}") from None
    except RecursionError:
        raise InvalidInput(name, f"must not be nested deeper than {_DEEPEST} levels") from None
    if node is None:
        return Document(name, None, {})
    reader = _Reader(name)
    data = reader.read(node, ())
    return Document(name, data, reader.lines)


def _loader(old: bool) -> type[yaml.SafeLoader]:
    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012

    for tag, pattern, first in (*_SCALARS, *([_OLD_TRUTHS] if old else [])):
        starts: Sequence[str] = [*first, ""] if tag == "null" else [*first]
        Loader.add_implicit_resolver(_TAG + tag, re.compile(rf"(?:{pattern})\Z"), starts)
    return Loader


class _Reader:
    """Turns nodes into data, and notes where keys are."""

    def __init__(self, name: str) -> None:
        self.lines: dict[Keys, int] = {}
        self._name, self._count = name, 0

    def read(self, node: yaml.Node, keys: Keys) -> Any:
        self._count += 1
        if self._count > _MOST_NODES or len(keys) > _DEEPEST:
            rule = f"must hold at most {_MOST_NODES} values in {_DEEPEST} levels, with its aliases written out"
            raise InvalidInput(self._at(node), rule)
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return self._mapping(node, keys)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            return [self._item(item, (*keys, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        raise InvalidInput(self._at(node), "must be a mapping, a list or a scalar, without a tag", node.tag)

    def _item(self, node: yaml.Node, keys: Keys) -> Any:
        self.lines[keys] = node.start_mark.line + 1
        return self.read(node, keys)

    def _mapping(self, node: yaml.MappingNode, keys: Keys) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        merged: list[yaml.Node] = []
        for key_node, value_node in node.value:
            if key_node.tag == f"{_TAG}merge":
                merged += value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                raise InvalidInput(self._at(key_node), "must have a text as key")
            # A key is a name, whatever it looks like: `on:` or `1:` are names of parameters too.
            key = key_node.value
            if key in found:
                raise InvalidInput(self._at(key_node), f"repeats the key {key!r}, from line {self.lines[(*keys, key)]}")
            # What a mapping has itself comes first, and stays, when another one is merged into it.
            self.lines.setdefault((*keys, key), key_node.start_mark.line + 1)
            found[key] = self.read(value_node, (*keys, key))
        for other in merged:
            if not isinstance(other, yaml.MappingNode):
                raise InvalidInput(self._at(other), "must be a mapping, or a list of them, after <<")
            for key, value in self._mapping(other, keys).items():
                found.setdefault(key, value)
        return found

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        text, tag = node.value, node.tag.removeprefix(_TAG)
        try:
            if tag == "int":
                sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
                return sign * (int(digits, 0) if digits[:2] in ("0o", "0x") else int(digits))
            if tag == "float":
                return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        except ValueError:
            raise InvalidInput(self._at(node), f"must be a number after !!{tag}", text) from None
        if tag == "bool":
            return text.lower() in _TRUE
        if tag == "null":
            return None
        if tag == "str":
            return text
        raise InvalidInput(self._at(node), "must be a text, a number, a truth value or null, without a tag", node.tag)

    def _at(self, node: yaml.Node) -> str:
        return f"{self._name}:{node.start_mark.line + 1}:"
