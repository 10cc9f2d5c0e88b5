"""Names of parameters."""

from __future__ import annotations

from typing import Any

import pytest

from tunewright.errors import InvalidSpace
from tunewright.space import Float, SearchSpace
from tunewright.space.names import check_name


@pytest.mark.parametrize("name", ["lr", "model__max_depth", "a.b", "val/loss", "lambda_", "class_", "x__", "Größe", "_private"])
def test_hyperparameters_may_be_called_so(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "  ", None, 3, ("a",), b"lr"])
def test_a_name_is_a_non_empty_string(name: Any) -> None:
    with pytest.raises(InvalidSpace, match=r"parameter name must be a non-empty string; got"):
        SearchSpace({name: Float(0, 1)})


@pytest.mark.parametrize(
    "name", ["coef_", "feature_importances_", "n_features_in_", "classes_", "clf__intercept_", "best_iteration", "state_dict"]
)
def test_what_training_learns_is_no_hyperparameter(name: str) -> None:
    with pytest.raises(
        InvalidSpace,
        match=f"'{name}' is no hyperparameter: hyperparameters are set before training, parameters are learned in it",
    ):
        SearchSpace({"lr": Float(0, 1), name: Float(0, 1)})


def test_a_fixed_value_has_no_learned_name_either() -> None:
    with pytest.raises(InvalidSpace, match=r"learned"):
        SearchSpace({"lr": Float(0, 1), "coef_": 3.0})
    with pytest.raises(InvalidSpace, match=r"learned"):
        SearchSpace({"lr": Float(0, 1)}, fixed={"coef_": 3.0})
