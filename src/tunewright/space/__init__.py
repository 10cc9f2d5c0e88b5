"""The search space: parameters, scales, conditions, constraints, and points as params and in the unit cube."""

from tunewright.space.categorical import Categorical
from tunewright.space.numeric import Float, Int
from tunewright.space.parameters import Parameter
from tunewright.space.search_space import SearchSpace

__all__ = ["Categorical", "Float", "Int", "Parameter", "SearchSpace"]
