"""The surrogate model of Bayesian search: from configurations in the unit cube to what a Gaussian process says of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tunewright.models.gp.covariance import Covariance, Stationary, Sum
from tunewright.models.gp.inputs import Inputs
from tunewright.models.gp.kernels import Correlation, matern52
from tunewright.models.gp.priors import LogNormal
from tunewright.models.gp.regression import Hyperparameters, Regression, fit
from tunewright.models.gp.targets import TargetTransform, half_rank_yeo_johnson
from tunewright.models.gp.trend import TERMS, Trend
from tunewright.strategies.domain import Domain

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Recipe:
    """What the surrogate is made of; each part can be replaced.

    Priors are Gaussian over log parameters, as (mean, standard deviation).

    Args:
        correlation: of the stationary part, from `models/gp/kernels.py`.
        transform: from losses to targets, from `models/gp/targets.py`.
        lengthscale: prior of the log lengthscales in d dimensions, around mean + log(d)/2 (the scaling with d is Hvarfner
            et al. 2024, "Vanilla Bayesian Optimization Performs Great in High Dimensions").
        shared: standard deviation of what all log lengthscales have in common; the one of `lengthscale` is of each alone.
        trend: prior of the trend's log variances; None leaves the trend out.
        noise: prior of the log noise variance.
        noise_share: share of the noise that counts in predicted standard deviations, see `Regression`.
        iterations: the most L-BFGS iterations of a fit.
    """

    correlation: Correlation = matern52
    transform: TargetTransform = half_rank_yeo_johnson
    lengthscale: tuple[float, float] = (-0.5, 0.7)
    shared: float = 0.7
    trend: tuple[float, float] | None = (-2.0, 1.5)
    noise: tuple[float, float] = (-6.0, 2.0)
    noise_share: float = 0.0
    iterations: int = 20


@dataclass(frozen=True)
class ModelFamily:
    """A recipe made for one domain: everything but the data.

    Args:
        domain: of the points.
        recipe: what the surrogate is made of.
    """

    domain: Domain
    recipe: Recipe
    inputs: Inputs = field(init=False)
    covariance: Covariance = field(init=False)
    noise: LogNormal = field(init=False)

    def __post_init__(self) -> None:
        inputs = Inputs(self.domain.columns())
        object.__setattr__(self, "inputs", inputs)
        object.__setattr__(self, "covariance", _covariance(self.recipe, inputs, self.domain.dimension))
        object.__setattr__(self, "noise", LogNormal.repeated(1, *self.recipe.noise, -16.0, 1.0))

    def fit(self, points: Array, targets: Array) -> Hyperparameters:
        """Hyperparameters for canonical points (n, d) and targets (n,), from a cold start: they depend on these alone."""
        return fit(self.covariance, self.noise, self.inputs.encode(points), targets, iterations=self.recipe.iterations)

    def given(self, hyperparameters: Hyperparameters, points: Array, targets: Array) -> Surrogate:
        """The model with these hyperparameters, given this data."""
        encoded, share = self.inputs.encode(points), self.recipe.noise_share
        return Surrogate(self, Regression(self.covariance, hyperparameters, encoded, targets, noise_share=share))


def _covariance(recipe: Recipe, inputs: Inputs, dimension: int) -> Covariance:
    mean, sd = recipe.lengthscale
    prior = LogNormal.repeated(dimension, mean + 0.5 * math.log(dimension), sd, -4.0, 6.0, shared=recipe.shared)
    stationary = Stationary(recipe.correlation, inputs.groups, prior)
    if recipe.trend is None or not len(inputs.numeric_columns):
        return stationary
    return Sum([stationary, Trend(inputs.numeric_columns, LogNormal.repeated(TERMS, *recipe.trend, -14.0, 6.0))])


class Surrogate:
    """A fitted model over canonical points. Predictions are in units of the targets."""

    def __init__(self, family: ModelFamily, regression: Regression) -> None:
        self.family, self.regression = family, regression

    def predict(self, points: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the noiseless target at canonical points (m, d): two (m,) arrays."""
        return self.regression.predict(self.family.inputs.encode(points))

    def predict_slope(self, point: Array) -> tuple[float, float, Array, Array]:
        """The same at one point (d,), and both gradients (d,) by its coordinates: zero where inactive or without order."""
        inputs = self.family.inputs
        mean, sd, mean_columns, sd_columns = self.regression.predict_slope(inputs.encode(point[None])[0])
        slopes = np.zeros((2, len(point)))
        slopes[0, inputs.numeric] = mean_columns[inputs.numeric_columns] * inputs.stretch
        slopes[1, inputs.numeric] = sd_columns[inputs.numeric_columns] * inputs.stretch
        slopes[:, np.isnan(point)] = 0.0
        return mean, sd, slopes[0], slopes[1]

    def believing(self, points: Array) -> Surrogate:
        """The model as if its own predictions had been observed at points (m, d): a kriging believer.

        Ginsbourger, Le Riche and Carraro 2010, "Kriging Is Well-Suited to Parallelize Optimization".
        """
        if not len(points):
            return self
        encoded = self.family.inputs.encode(points)
        return Surrogate(self.family, self.regression.given(encoded, self.regression.predict(encoded)[0]))

    @property
    def lengthscales(self) -> Array:
        """Lengthscales (d,) of the stationary part, in the inputs' units."""
        return np.exp(self.regression.hyperparameters.theta[: self.family.domain.dimension])
