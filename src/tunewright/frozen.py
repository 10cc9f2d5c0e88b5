"""Frozen dataclasses with slots that are made and copied quickly: the records, of which each trial makes dozens.

What `dataclasses` generates for a frozen class sets every field by `object.__setattr__`, which looks it up by its name.
The code generated here sets it through its slot, in half of the time.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any, TypeVar

Record = TypeVar("Record")


def quick(kind: type[Record]) -> type[Record]:
    """Decorates a `dataclass(frozen=True, slots=True)`: a quicker constructor, and what `changed` needs.

    The constructor takes the same arguments, and calls `__post_init__` if there is one.
    """
    names: dict[str, Any] = {"_missing": MISSING, "_new": object.__new__, "_kind": kind}
    arguments, making, copying = [], [], []
    for field in fields(kind):  # type: ignore[arg-type]
        name = field.name
        names[f"_set_{name}"], names[f"_default_{name}"] = kind.__dict__[name].__set__, field.default
        value, argument = name, name if field.default is MISSING else f"{name}=_default_{name}"
        if field.default_factory is not MISSING:
            names[f"_make_{name}"] = field.default_factory
            value, argument = f"_make_{name}() if {name} is _missing else {name}", f"{name}=_missing"
        arguments.append(argument)
        making.append(f"  _set_{name}(self, {value})")
        copying.append(f"  _set_{name}(made, self.{name})")
    if hasattr(kind, "__post_init__"):
        making.append("  self.__post_init__()")
    source = [
        f"def __init__(self, {', '.join(arguments)}):", *making,
        "def _copied(self):", "  made = _new(_kind)", *copying, "  return made",
    ]  # fmt: skip
    exec("\n".join(source), names)
    made: Any = names["__init__"]
    made.__qualname__, made.__annotations__ = f"{kind.__qualname__}.__init__", kind.__init__.__annotations__
    quicker: Any = kind
    quicker.__init__, quicker._copied = made, names["_copied"]
    quicker._setters = {field.name: names[f"_set_{field.name}"] for field in fields(quicker)}
    return kind


def changed(record: Record, **changes: Any) -> Record:
    """A quick record with other fields: `dataclasses.replace` in a fraction of its time. It checks nothing."""
    made: Record = record._copied()  # type: ignore[attr-defined]
    setters = record._setters  # type: ignore[attr-defined]
    for name, value in changes.items():
        setters[name](made, value)
    return made
