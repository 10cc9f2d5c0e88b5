"""What differs between two spaces, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunewright.space.parameters import Parameter
from tunewright.space.scalars import same

if TYPE_CHECKING:
    from tunewright.space.search_space import SearchSpace


def differences(old: SearchSpace, new: SearchSpace) -> list[str]:
    """One line per parameter, fixed value or constraint that isn't the same in both; the order of parameters counts."""
    before, after = old._structure.entries, new._structure.entries
    lines = []
    for name in [*before, *(name for name in after if name not in before)]:
        if name not in after:
            lines.append(f"{name}: {before[name]!r} is gone")
        elif name not in before:
            lines.append(f"{name}: {after[name]!r} is new")
        elif not _equal(before[name], after[name]):
            lines.append(f"{name}: {before[name]!r} became {after[name]!r}")
    if not lines and old.names != new.names:
        lines.append(f"the order of parameters: {', '.join(old.names)} became {', '.join(new.names)}")
    had = [constraint.describe() for constraint in old._structure.constraints]
    has = [constraint.describe() for constraint in new._structure.constraints]
    lines.extend(f"constraint {text} is gone" for text in had if text not in has)
    lines.extend(f"constraint {text} is new" for text in has if text not in had)
    return lines


def _equal(left: object, right: object) -> bool:
    if isinstance(left, Parameter) or isinstance(right, Parameter):
        return left == right
    return same(left, right)  # type: ignore[arg-type]
