"""Why a model proposes a configuration, in one line."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tunewright.strategies.acquisition import log_expected_improvement
from tunewright.strategies.learning import Learned

Array = NDArray[np.float64]


def explain(learned: Learned, point: Array) -> str:
    """The reason for a canonical point (d,): the expected improvement in units of the loss, and what it does.

    A proposal *exploits* when the model predicts it to be at least as good as the incumbent, and *explores* when only its
    uncertainty makes it worth a trial; then the parameter is named in which it is farthest from the best trials.
    """
    mean, sd = (float(v[0]) for v in learned.surrogate.predict(point[None]))
    improvement = float(np.exp(log_expected_improvement(np.array([mean]), np.array([sd]), learned.incumbent)[0][0]))
    gain = as_loss(learned, learned.incumbent) - as_loss(learned, learned.incumbent - improvement)
    what = "exploiting" if mean <= learned.incumbent else f"exploring {_farthest(learned, point)}"
    return f"expected improvement {gain:.2g}; {what}"


def as_loss(learned: Learned, target: float) -> float:
    """The loss that a target stands for: between observed ones by interpolation, below the best by its neighbours' slope."""
    order = np.argsort(learned.targets, kind="stable")
    targets, first = np.unique(learned.targets[order], return_index=True)
    losses = learned.losses[order][first]
    if len(targets) == 1:
        return float(losses[0])
    if target >= targets[0]:
        return float(np.interp(target, targets, losses))
    reach = min(len(targets) - 1, max(1, len(targets) // 4))
    slope = (losses[reach] - losses[0]) / (targets[reach] - targets[0])
    return float(losses[0] + slope * (target - targets[0]))


def _farthest(learned: Learned, point: Array) -> str:
    """The parameter that is farthest, in lengthscales, from its value at the best trial, with its value."""
    family = learned.surrogate.family
    space, inputs = family.domain.space, family.inputs
    best = learned.points[int(np.argmin(learned.losses))]
    columns = inputs.encode(np.stack([point, best]))
    squares = (columns[0] - columns[1]) ** 2
    distance = np.bincount(inputs.groups, squares, minlength=len(point)) / learned.surrogate.lengthscales**2
    distance[np.isnan(point)] = 0.0  # what is inactive has no value to show
    name = space.names[int(np.argmax(distance))]
    value = space.decode(point)[name] if distance.max() > 0 else None
    shown = f"{value:.3g}" if isinstance(value, float) else repr(value) if isinstance(value, int | bool) else str(value)
    return f"{name} = {shown}" if distance.max() > 0 else "near the best trial"
