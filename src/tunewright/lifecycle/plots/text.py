"""Pictures of a job as text, for terminals and logs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from tunewright.lifecycle.plots.picture import Picture, text_of
from tunewright.progress.formatting import counted, format_number

WIDTH, HEIGHT = 64, 12  # characters of a history
GAUGE = 12  # characters of a parameter's axis
BAR = 24


def lines_of(picture: Picture, kind: str) -> list[str]:
    """One picture; `kind` is history, slices or parallel."""
    return {"history": _history, "slices": _slices, "parallel": _parallel}[kind](picture)


def _history(picture: Picture) -> list[str]:
    """Values over trials, from left to right, and the best so far as a line."""
    values, best = picture.values, picture.best
    seen = [value for value in (*values, *best) if math.isfinite(value)]
    low, high = min(seen), max(seen)
    width = min(WIDTH, max(len(values), 8))
    grid = [[" "] * width for _ in range(HEIGHT)]

    def row(value: float) -> int:
        share = 0.5 if high == low else (value - low) / (high - low)
        return min(HEIGHT - 1, int((1 - share) * HEIGHT))

    for column in range(width):
        upto = max(0, min(len(values) - 1, int((column + 1) * len(values) / width) - 1))
        if math.isfinite(best[upto]):
            grid[row(best[upto])][column] = "-"
    for position, value in enumerate(values):
        grid[row(value)][min(width - 1, position * width // len(values))] = "o"
    labels = {0: format_number(high), HEIGHT - 1: format_number(low)}
    margin = max(map(len, labels.values()))
    lines = [f"{picture.objective.metric} of {counted(len(values), 'completed trial')} (o), and the best so far (-)"]
    lines += [f"{labels.get(i, ''):>{margin}} |{''.join(cells)}".rstrip() for i, cells in enumerate(grid)]
    first, last = str(picture.trials[0].number), str(picture.trials[-1].number)
    lines.append(f"{'':{margin}} +{'-' * width}")
    lines.append(f"{'':{margin}}  trial {first} {last:>{max(1, width - 7 - len(first))}}")
    return lines


def _slices(picture: Picture) -> list[str]:
    """For each parameter, how good the trials were by its value: the longer the bar, the better their median."""
    values, sign = picture.values, picture.objective.sign
    worst, best = (max(values), min(values)) if sign > 0 else (min(values), max(values))
    lines = [f"{picture.objective.metric} by parameter: number of trials, best, median"]
    for name in picture.space.names:
        groups = picture.bins(name)
        width = max((len(text) for text, _ in groups), default=0)
        lines += ["", name]
        for text, inside in groups:
            middle, top = median(values[i] for i in inside), picture.objective.best(values[i] for i in inside)
            share = 1.0 if best == worst else (middle - worst) / (best - worst)
            bar = "#" * max(1, round(BAR * share))
            lines.append(
                f"    {text:<{width}}  {len(inside):>4}  {format_number(top):>10}  {format_number(middle):>10}  {bar}".rstrip()
            )
    return lines


def _parallel(picture: Picture, most: int = 20) -> list[str]:
    """The best trials, a line each, with each parameter's value on its axis from its lowest to its highest."""
    order = picture.order[:most]
    names = picture.space.names
    widths = [max(GAUGE + 2, len(name), len(_ends(picture, name))) for name in names]
    shown = [format_number(picture.values[i]) for i in order]
    value_width = max(len(picture.objective.metric), *map(len, shown))
    head = "  ".join(f"{name:<{width}}" for name, width in zip(names, widths, strict=True))
    ends = "  ".join(f"{_ends(picture, name):<{width}}" for name, width in zip(names, widths, strict=True))
    lines = [
        f"The best {len(order)} of {counted(len(picture.trials), 'completed trial')}, each parameter on its axis",
        f"trial  {picture.objective.metric:<{value_width}}  {head}".rstrip(),
        f"{'':5}  {'':{value_width}}  {ends}".rstrip(),
    ]
    for i, value in zip(order, shown, strict=True):
        gauges = "  ".join(f"{_gauge(unit):<{width}}" for unit, width in zip(picture.units[i], widths, strict=True))
        lines.append(f"{picture.trials[i].number:>5}  {value:<{value_width}}  {gauges}".rstrip())
    return lines


def _gauge(unit: float) -> str:
    if math.isnan(unit):
        return f"|{'':{GAUGE}}|"
    position = min(GAUGE - 1, int(unit * GAUGE))
    return "|" + "." * position + "o" + "." * (GAUGE - 1 - position) + "|"


def _ends(picture: Picture, name: str) -> str:
    first, last = ends_of(picture, name)
    return f"{first} .. {last}"


def ends_of(picture: Picture, name: str) -> Sequence[str]:
    """The texts of an axis' two ends."""
    parameter = picture.space.parameters[name]
    choices = getattr(parameter, "choices", None)
    low, high = (choices[0], choices[-1]) if choices is not None else (parameter.low, parameter.high)  # type: ignore[attr-defined]
    return text_of(low), text_of(high)
