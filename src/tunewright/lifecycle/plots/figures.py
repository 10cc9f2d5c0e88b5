"""Pictures of a job as figures of matplotlib's. They belong to nobody's global state: no pyplot, no window."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tunewright.errors import InvalidInput
from tunewright.lifecycle.plots.picture import Picture, text_of
from tunewright.space import Categorical, SearchSpace

COLUMNS = 3  # of slices in a row
_HEIGHTS = {"history": 3.2, "parallel": 3.6}
_SLICE = 2.6
_COLOURS = "viridis_r"


def draw(picture: Picture, kinds: Sequence[str]) -> Any:
    """A figure with one picture above the other.

    Args:
        kinds: history, slices, parallel.

    Raises:
        InvalidInput: matplotlib isn't installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        rule = "needs matplotlib: pip install 'tunewright[plots]'; as text: tunewright show NAME --plot all"
        raise InvalidInput("plot", f"{rule} ({error})") from None
    rows = math.ceil(len(picture.space.names) / COLUMNS)
    heights = [_HEIGHTS.get(kind, _SLICE * rows) for kind in kinds]
    figure = Figure(figsize=(9, sum(heights)), layout="constrained")
    FigureCanvasAgg(figure)
    parts = figure.subfigures(len(kinds), 1, height_ratios=heights, squeeze=False)[:, 0]
    for kind, part in zip(kinds, parts, strict=True):
        {"history": _history, "slices": _slices, "parallel": _parallel}[kind](picture, part)
    return figure


def _history(picture: Picture, part: Any) -> None:
    axes = part.subplots()
    numbers = [trial.number for trial in picture.trials]
    axes.scatter(numbers, picture.values, s=14, alpha=0.6, label="trials")
    axes.step(numbers, picture.best, where="post", color="C1", label="best so far")
    axes.set_title(f"{picture.name}: {picture.objective.goal} {picture.objective.metric}", loc="left", fontsize="medium")
    axes.set_xlabel("trial")
    axes.set_ylabel(picture.objective.metric)
    axes.legend(fontsize="small")


def _slices(picture: Picture, part: Any) -> None:
    names = picture.space.names
    rows = math.ceil(len(names) / COLUMNS)
    grid = part.subplots(rows, min(COLUMNS, len(names)), sharey=True, squeeze=False)
    for axes in grid.flat[len(names) :]:
        axes.set_visible(False)
    numbers = np.array([trial.number for trial in picture.trials])
    for name, axes in zip(names, grid.flat, strict=False):
        column = picture.units[:, names.index(name)]
        active = ~np.isnan(column)
        axes.scatter(column[active], np.array(picture.values)[active], c=numbers[active], s=14, cmap="viridis")
        axes.set_xlim(-0.05, 1.05)
        axes.set_xlabel(name)
        _mark(axes.set_xticks, picture, name)
    for axes in grid[:, 0]:
        axes.set_ylabel(picture.objective.metric)


def _parallel(picture: Picture, part: Any) -> None:
    from matplotlib import colormaps

    axes = part.subplots()
    names, values = picture.space.names, np.array(picture.values)
    losses = picture.objective.sign * values
    spread = float(np.ptp(losses)) or 1.0
    # The worst are drawn first, so that the best are seen.
    for i in reversed(picture.order):
        share = float(losses[i] - losses.min()) / spread
        axes.plot(
            range(len(names)), picture.units[i], color=colormaps[_COLOURS](1 - share), alpha=1 - 0.75 * share, linewidth=1
        )
    axes.set_xlim(-0.2, len(names) - 0.6)
    axes.set_ylim(-0.05, 1.05)
    axes.set_yticks([])
    axes.set_xticks(range(len(names)), names)
    for position, name in enumerate(names):
        axes.axvline(position, color="0.7", linewidth=0.8)
        for unit, text in _ticks(picture, name):
            axes.annotate(text, (position, unit), fontsize="x-small", xytext=(3, 0), textcoords="offset points", va="center")
    best = text_of(float(picture.values[picture.order[0]]))
    axes.set_title(f"parameters of all completed trials; the darkest line is the best, {best}", loc="left", fontsize="small")


def _mark(set_ticks: Any, picture: Picture, name: str) -> None:
    ticks = _ticks(picture, name)
    set_ticks([unit for unit, _ in ticks], [text for _, text in ticks], fontsize="x-small")


def _ticks(picture: Picture, name: str) -> list[tuple[float, str]]:
    """Where an axis is marked, and how: all choices, else both ends and the middle."""
    parameter = picture.space.parameters[name]
    if isinstance(parameter, Categorical):
        count = len(parameter.choices)
        every = math.ceil(count / 8)
        return [((i + 0.5) / count, text_of(choice)) for i, choice in enumerate(parameter.choices) if i % every == 0]
    alone = SearchSpace({name: parameter.without_condition()})
    values = [alone.decode(np.array([unit])) for unit in (0.0, 0.5, 1.0)]
    return [(float(alone.encode(value)[0]), text_of(value[name])) for value in values]
