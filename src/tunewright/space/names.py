"""Which names a parameter may have."""

from __future__ import annotations

from keyword import iskeyword

from tunewright.errors import InvalidSpace

# What libraries call results of training that don't end with an underscore.
LEARNED = frozenset({"best_iteration", "best_ntree_limit", "best_score", "evals_result", "state_dict"})


def check_name(name: object) -> str:
    """The name, when it is one that a hyperparameter may have.

    Raises:
        InvalidSpace: it is no string, empty, or names what training learns. scikit-learn ends those with one underscore
            (`coef_`, `n_features_in_`); a Python keyword with an underscore (`lambda_`) is none of them.
    """
    if not isinstance(name, str) or not name.strip():
        raise InvalidSpace("parameter name", "must be a non-empty string", name)
    name = str.__str__(name)
    stem = name[:-1]
    learned = name.endswith("_") and not name.endswith("__") and not iskeyword(stem)
    if learned or name in LEARNED:
        raise InvalidSpace(
            repr(name), "is no hyperparameter: hyperparameters are set before training, parameters are learned in it"
        )
    return name
