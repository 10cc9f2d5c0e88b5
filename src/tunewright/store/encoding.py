"""Records' mappings and tuples as JSON text, and back: exactly, with NaN and the infinities."""

from __future__ import annotations

import json
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, cast

from tunewright.errors import InvalidInput


def _plain(value: object) -> Any:
    """What the json module doesn't know by itself: read-only mappings, and the scalars of numpy."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")


_encode = json.JSONEncoder(check_circular=False, separators=(",", ":"), default=_plain).encode
_decode = json.JSONDecoder().decode


def to_json(field: str, value: object) -> str:
    """A value as JSON text in ASCII; floats round-trip, integers of any size stay integers.

    Raises:
        InvalidInput: it holds something that JSON has no form for; `field` is named in the message.
    """
    try:
        return _encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(field, f"must be made of JSON values ({error})", value) from None


def from_json(text: str) -> dict[str, Any]:
    """The mapping that `to_json` wrote."""
    return cast("dict[str, Any]", _decode(text))


def floats_from_json(text: str | None) -> tuple[float, ...] | None:
    """The tuple of floats that `to_json` wrote, or None."""
    return None if text is None else tuple(map(float, _decode(text)))
