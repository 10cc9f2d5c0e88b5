"""The search space: parameters, scales, conditions, constraints, and points as params and in the unit cube."""

from tunewright.space.parameters import Categorical, Float, Int, Parameter
from tunewright.space.search_space import SearchSpace

__all__ = ["Categorical", "Float", "Int", "Parameter", "SearchSpace"]
