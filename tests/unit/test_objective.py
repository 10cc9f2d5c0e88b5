"""Metrics, goals and aggregation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunewright.errors import InvalidInput
from tunewright.objective import Objective, Requirement, known_goal, objectives, requirements

NAN, INF = math.nan, math.inf
numbers = st.floats(allow_nan=False, allow_infinity=False)


class TestKnownGoal:
    @pytest.mark.parametrize(
        "metric",
        "accuracy acc auc f1 r2 val_accuracy val/acc validation:auc test-f1 eval.accuracy accuracy/val Val/Accuracy f1_score "
        "roc_auc_score r2_score neg_mean_squared_error neg_log_loss neg_root_mean_squared_error map@0.5 ndcg@10 acc@1 "
        "valid_0.auc validation_0-auc test/val_accuracy macro_f1 elbo".split(),
    )
    def test_maximized(self, metric: str) -> None:
        assert known_goal(metric) == "maximize"

    @pytest.mark.parametrize(
        "metric",
        "loss error rmse logloss val_loss val/loss validation:rmse train-error eval_loss loss_val validation_0-logloss "
        "mean_squared_error cross-entropy brier_score neg_log_likelihood negative_log_likelihood eval/val_loss wer "
        "binary_crossentropy".split(),
    )
    def test_minimized(self, metric: str) -> None:
        assert known_goal(metric) == "minimize"

    @pytest.mark.parametrize(
        "metric", ["banana", "val", "val/", "", "lossy", "accuracy_of_nothing", "validation", "neg_banana", "inverse loss"]
    )
    def test_unknown(self, metric: str) -> None:
        assert known_goal(metric) is None

    @given(st.sampled_from(["loss", "auc"]), st.lists(st.sampled_from(["val/", "test_", "train:", "cv-"]), max_size=4))
    def test_prefixes_never_change_the_goal(self, metric: str, prefixes: list[str]) -> None:
        assert known_goal("".join(prefixes) + metric) == known_goal(metric)


class TestFields:
    def test_goal_is_read_from_the_name(self) -> None:
        assert Objective("val/loss").goal == "minimize"
        assert Objective("accuracy").goal == "maximize"

    def test_given_goal_wins_and_the_contradiction_shows(self) -> None:
        odd = Objective("accuracy", "minimize")
        assert odd.goal == "minimize"
        assert odd.contradicts_name
        assert not Objective("accuracy", "maximize").contradicts_name
        assert not Objective("banana", "minimize").contradicts_name

    @pytest.mark.parametrize(
        ("fields", "field", "words"),
        [
            ({"metric": ""}, "metric", "must be a metric's name"),
            ({"metric": "  "}, "metric", "must be a metric's name"),
            ({"metric": 3}, "metric", "got 3"),
            ({"metric": "banana"}, "goal", "must be given for the metric 'banana'"),
            ({"metric": "loss", "goal": "minimise"}, "goal", "did you mean 'minimize'"),
            ({"metric": "loss", "goal": "down"}, "goal", "must be 'minimize' or 'maximize'"),
            ({"metric": "loss", "which": "first"}, "which", "got 'first'"),
            ({"metric": "loss", "aggregate": "sum"}, "aggregate", "got 'sum'"),
            ({"metric": "loss", "target": True}, "target", "got True"),
            ({"metric": "loss", "target": NAN}, "target", "must be a finite number"),
            ({"metric": "loss", "target": INF}, "target", "must be a finite number"),
            ({"metric": "loss", "target": 10**400}, "target", "must be a finite number"),
            ({"metric": "loss", "target": "0.1"}, "target", "got '0.1'"),
        ],
    )
    def test_bad_fields(self, fields: dict[str, Any], field: str, words: str) -> None:
        with pytest.raises(InvalidInput, match=words.replace("(", r"\(")) as caught:
            Objective(**fields)
        assert caught.value.field == field

    @pytest.mark.parametrize("target", [1, 1.0, np.float64(1.0), np.float32(1.0), np.int64(1)])
    def test_target_becomes_a_float(self, target: float) -> None:
        found = Objective("loss", target=target).target
        assert type(found) is float
        assert found == 1.0

    def test_json_gives_it_back(self) -> None:
        objective = Objective("auc", which="best", aggregate="worst", target=0.9)
        assert Objective(**objective.to_json()) == objective


class TestComparison:
    def test_better_is_strict(self) -> None:
        low, high = Objective("loss"), Objective("auc")
        assert low.better(1.0, 2.0)
        assert high.better(2.0, 1.0)
        assert not low.better(1.0, 1.0)
        assert not high.better(1.0, 1.0)

    @pytest.mark.parametrize("metric", ["loss", "auc"])
    def test_nan_is_worse_than_any_number(self, metric: str) -> None:
        objective = Objective(metric)
        assert objective.better(1e300, NAN)
        assert objective.better(-1e300, NAN)
        assert not objective.better(NAN, 0.0)
        assert not objective.better(NAN, NAN)

    @given(numbers, numbers)
    def test_sign_makes_minimisation_of_both_goals(self, one: float, other: float) -> None:
        for objective in (Objective("loss"), Objective("auc")):
            assert objective.better(one, other) == (objective.sign * one < objective.sign * other)

    def test_best_skips_nan(self) -> None:
        assert Objective("loss").best([NAN, 2.0, 1.0]) == 1.0
        assert Objective("auc").best([2.0, NAN, 1.0]) == 2.0
        assert math.isnan(Objective("auc").best([NAN, NAN]))

    def test_best_takes_any_iterable(self) -> None:
        assert Objective("loss").best(x for x in (3.0, 2.0)) == 2.0

    def test_reached(self) -> None:
        low, high = Objective("loss", target=0.1), Objective("auc", target=0.9)
        assert low.reached(0.1)
        assert low.reached(0.05)
        assert not low.reached(0.11)
        assert high.reached(0.9)
        assert high.reached(0.95)
        assert not high.reached(0.89)
        assert not Objective("loss").reached(-1e9)

    @pytest.mark.parametrize("value", [NAN, INF, -INF])
    @pytest.mark.parametrize("metric", ["loss", "auc"])
    def test_no_target_is_reached_by_what_is_no_number(self, metric: str, value: float) -> None:
        assert not Objective(metric, target=0.0).reached(value)


class TestValueOf:
    @pytest.mark.parametrize(
        ("which", "reported", "returned", "value"),
        [
            ("last", [3.0, 1.0, 2.0], None, 2.0),
            ("last", [3.0, 1.0, 2.0], 5.0, 5.0),
            ("last", [], 5.0, 5.0),
            ("last", [], None, None),
            ("best", [3.0, 1.0, 2.0], None, 1.0),
            ("best", [3.0, 1.0, 2.0], 0.5, 0.5),
            ("best", [3.0, NAN, 2.0], NAN, 2.0),
            ("best", [], None, None),
        ],
    )
    def test_minimised(self, which: Any, reported: list[float], returned: float | None, value: float | None) -> None:
        assert Objective("loss", which=which).value_of(reported, returned) == value

    def test_best_of_a_maximised_one(self) -> None:
        assert Objective("auc", which="best").value_of([0.2, 0.9, 0.5], 0.7) == 0.9

    def test_last_nan_is_not_replaced_by_an_earlier_number(self) -> None:
        value = Objective("loss").value_of([1.0, NAN], None)
        assert value is not None
        assert math.isnan(value)


class TestCombine:
    @pytest.mark.parametrize(
        ("aggregate", "values", "value"),
        [
            ("mean", [1.0, 2.0, 6.0], 3.0),
            ("median", [1.0, 6.0, 2.0], 2.0),
            ("median", [1.0, 6.0, 2.0, 4.0], 3.0),
            ("worst", [1.0, 6.0, 2.0], 6.0),
            ("last", [1.0, 6.0, 2.0], 2.0),
            ("mean", [1e308, 1.7e308], 1.35e308),
            ("median", [1.7e308, 1e308], 1.35e308),
            ("mean", [INF, 1.0], INF),
        ],
    )
    def test_minimised(self, aggregate: Any, values: list[float], value: float) -> None:
        assert Objective("loss", aggregate=aggregate).combine(values) == pytest.approx(value)

    def test_worst_of_a_maximised_one(self) -> None:
        assert Objective("auc", aggregate="worst").combine([0.5, 0.7]) == 0.5

    @pytest.mark.parametrize("aggregate", ["mean", "median", "worst"])
    @pytest.mark.parametrize("values", [[NAN, 1.0, 2.0], [1.0, NAN, 2.0], [1.0, 2.0, NAN], [1.0, 2.0, 3.0, NAN]])
    def test_nan_is_never_outweighed(self, aggregate: Any, values: list[float]) -> None:
        assert math.isnan(Objective("loss", aggregate=aggregate).combine(values))

    def test_opposite_infinities_are_no_crash(self) -> None:
        assert math.isnan(Objective("loss").combine([INF, -INF]))

    @given(st.sampled_from(["mean", "median", "worst", "last"]), st.lists(numbers, min_size=1, max_size=9))
    def test_lies_among_the_values(self, aggregate: Any, values: list[float]) -> None:
        value = Objective("loss", aggregate=aggregate).combine(values)
        slack = 1e-9 * max(abs(v) for v in values) if max(abs(v) for v in values) < 1e300 else 1e292
        assert min(values) - slack <= value <= max(values) + slack

    @given(st.sampled_from(["mean", "median", "worst", "last"]), numbers)
    def test_one_value_stays_as_it_is(self, aggregate: Any, value: float) -> None:
        assert Objective("loss", aggregate=aggregate).combine([value]) == value


class TestRequirements:
    @pytest.mark.parametrize(
        ("text", "holding", "broken"),
        [("<= 20", 20.0, 20.1), ("<20", 19.9, 20.0), (">= -1e3", -1000.0, -1001.0), ("> .5", 0.6, 0.5)],
    )
    def test_reads_and_holds(self, text: str, holding: float, broken: float) -> None:
        (limit,) = requirements({"latency_ms": text})
        assert limit.holds(holding)
        assert not limit.holds(broken)
        assert not limit.holds(NAN)

    def test_text_form_reads_back(self) -> None:
        limit = Requirement("latency_ms", "<=", 20.0)
        assert str(limit) == "latency_ms <= 20"

    @pytest.mark.parametrize("text", ["20", "== 20", "<= ", "<= twenty", "<= 1e999", "<= 1-2", "<= 20ms", 20, None, ["<= 20"]])
    def test_bad_limit_names_its_metric(self, text: Any) -> None:
        with pytest.raises(InvalidInput, match=r"require\['latency_ms'\] must be an operator and a number") as caught:
            requirements({"latency_ms": text})
        assert caught.value.value == text

    @pytest.mark.parametrize("require", [["latency_ms <= 20"], "latency_ms <= 20", {"": "<= 2"}, {3: "<= 2"}])
    def test_bad_mapping(self, require: Any) -> None:
        with pytest.raises(InvalidInput, match="require must"):
            requirements(require)

    def test_none_is_no_limit(self) -> None:
        assert requirements(None) == ()
        assert requirements({}) == ()


class TestObjectives:
    def test_both_spellings(self) -> None:
        assert objectives("loss", None, None) == (Objective("loss"),)
        assert objectives("banana", "maximize", None) == (Objective("banana", "maximize"),)
        assert objectives(None, None, Objective("loss")) == (Objective("loss"),)
        assert objectives(None, None, [Objective("loss"), Objective("auc")]) == (Objective("loss"), Objective("auc"))

    @pytest.mark.parametrize(
        ("call", "field"),
        [
            (lambda: objectives(None, None, None), "metric"),
            (lambda: objectives(None, "minimize", None), "metric"),
            (lambda: objectives("loss", None, Objective("loss")), "objective"),
            (lambda: objectives(None, "minimize", Objective("loss")), "objective"),
            (lambda: objectives(None, None, []), "objective"),
            (lambda: objectives(None, None, "loss"), "objective"),  # type: ignore[arg-type]
            (lambda: objectives(None, None, 3), "objective"),  # type: ignore[arg-type]
            (lambda: objectives(None, None, [Objective("loss"), "auc"]), "objective"),  # type: ignore[list-item]
            (lambda: objectives(None, None, [Objective("loss"), Objective("loss")]), "objective"),
        ],
    )
    def test_bad_input(self, call: Callable[[], object], field: str) -> None:
        with pytest.raises(InvalidInput) as caught:
            call()
        assert caught.value.field == field
