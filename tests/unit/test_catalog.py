"""Names, plugins, and what a door hands to the engine."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tunewright import catalog
from tunewright.errors import InvalidInput
from tunewright.history import History
from tunewright.interfaces import New, Problem, Proposal
from tunewright.records import Action, Decision
from tunewright.stoppers.median import MedianStopper
from tunewright.strategies.auto import AutoStrategy
from tunewright.strategies.grid import GridStrategy
from tunewright.strategies.random import RandomStrategy
from tunewright.strategies.sobol import SobolStrategy
from tunewright.testing.problems import branin, lattice

PROBLEM = lattice().problem(seed=1)


class Centre:
    """A researcher's own strategy."""

    def __init__(self, problem: Problem, *, radius: float = 0.1) -> None:
        self.problem, self.radius = problem, radius

    def suggest(self, history: History, n: int) -> Sequence[Proposal]:
        return [New({"n": 1 + len(history) % n}, "centre")]


class Patient:
    def __init__(self, problem: Problem) -> None:
        self.problem = problem

    def decide(self, history: History, number: int) -> Decision:
        return Decision(Action.RUN, f"{len(history)} {number}")


def everywhere(problem: Problem, **options: Any) -> Centre:
    """A factory."""
    return Centre(problem, **options)


class TestNames:
    @pytest.mark.parametrize(
        ("name", "kind"),
        [("random", RandomStrategy), ("grid", GridStrategy), ("sobol", SobolStrategy), ("auto", AutoStrategy)],
    )
    def test_built_in_strategies(self, name: str, kind: type) -> None:
        assert type(catalog.strategy(name, PROBLEM)) is kind

    def test_the_built_in_stopper(self) -> None:
        assert type(catalog.stopper("median", PROBLEM)) is MedianStopper

    @pytest.mark.parametrize(("kind", "name"), [(k, n) for k, known in catalog.BUILT_IN.items() for n in known])
    def test_every_built_in_can_be_loaded(self, kind: str, name: str) -> None:
        assert callable(catalog.load(kind, name))

    @pytest.mark.parametrize("kind", ["strategies", "stoppers"])
    def test_every_class_in_the_rooms_has_a_name(self, kind: str) -> None:
        """A new strategy or stopper can't be forgotten here."""
        method = {"strategies": "suggest", "stoppers": "decide"}[kind]
        room = importlib.import_module(f"tunewright.{kind}")
        named = {catalog.load(kind, name) for name in catalog.BUILT_IN[kind]}
        found = set()
        for path in Path(str(room.__path__[0])).glob("[!_]*.py"):
            module = importlib.import_module(f"tunewright.{kind}.{path.stem}")
            found |= {c for c in vars(module).values() if isinstance(c, type) and c.__module__ == module.__name__}
        assert {c for c in found if callable(getattr(c, method, None))} == named

    @pytest.mark.parametrize(
        ("call", "words"),
        [
            (lambda: catalog.strategy("randon", PROBLEM), r"strategy must be a known name \(did you mean 'random'"),
            (lambda: catalog.stopper("medain", PROBLEM), r"stopper must be a known name \(did you mean 'median'"),
            (lambda: catalog.load("executors", "proces"), r"executor must be a known name \(did you mean 'process'"),
            (lambda: catalog.strategy("zzz", PROBLEM), "known: .*grid, random, sobol"),
        ],
    )
    def test_an_unknown_name_gets_the_nearest(self, call: Callable[[], object], words: str) -> None:
        with pytest.raises(InvalidInput, match=words):
            call()

    def test_importing_the_catalog_loads_no_strategy(self) -> None:
        code = (
            "import sys, tunewright.catalog; "
            "print([m for m in sys.modules if m.startswith(('scipy', 'tunewright.str', 'tunewright.sto', 'tunewright.ex'))])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"


class TestObjects:
    def test_an_object_is_taken_as_it_is(self) -> None:
        mine, patient = Centre(PROBLEM), Patient(PROBLEM)
        assert catalog.strategy(mine, PROBLEM) is mine
        assert catalog.stopper(patient, PROBLEM) is patient

    @pytest.mark.parametrize("given", [Centre, everywhere])
    def test_a_class_or_factory_is_called_with_the_problem_and_options(self, given: object) -> None:
        made = catalog.strategy(given, PROBLEM, radius=0.5)
        assert isinstance(made, Centre)
        assert made.problem is PROBLEM
        assert made.radius == 0.5

    @pytest.mark.parametrize("given", [None, 3, object(), ["random"], Patient, Patient(PROBLEM), lambda problem: problem])
    def test_what_is_no_strategy(self, given: object) -> None:
        with pytest.raises(InvalidInput, match=r"suggest\(history, n\)"):
            catalog.strategy(given, PROBLEM)

    @pytest.mark.parametrize("given", [None, 3, Centre, Centre(PROBLEM)])
    def test_what_is_no_stopper(self, given: object) -> None:
        with pytest.raises(InvalidInput, match=r"decide\(history, number\)"):
            catalog.stopper(given, PROBLEM)


class TestOptions:
    def test_they_reach_the_class(self) -> None:
        made = catalog.strategy("grid", branin().problem(), bins=3)
        assert isinstance(made, GridStrategy)
        assert made.size == 9
        stopper = catalog.stopper("median", PROBLEM, every=7)
        assert isinstance(stopper, MedianStopper)
        assert stopper.every == 7

    def test_an_unknown_one_gets_the_nearest(self) -> None:
        with pytest.raises(InvalidInput, match=r"strategy option 'bin' must be an option of 'grid' \(did you mean 'bins'"):
            catalog.strategy("grid", PROBLEM, bin=3)
        with pytest.raises(InvalidInput, match=r"strategy option 'bins' must be an option of 'random' \(it has none\)"):
            catalog.strategy("random", PROBLEM, bins=3)

    def test_a_bad_value_names_the_option(self) -> None:
        with pytest.raises(InvalidInput, match="bins must be an integer of at least 2; got 'many'"):
            catalog.strategy("grid", branin().problem(), bins="many")

    def test_an_object_takes_none(self) -> None:
        with pytest.raises(InvalidInput, match="must be left out when an object is given"):
            catalog.strategy(Centre(PROBLEM), PROBLEM, radius=3)

    def test_a_class_that_takes_no_problem(self) -> None:
        class Alone:
            def suggest(self, history: History, n: int) -> Sequence[Proposal]:
                return []

        with pytest.raises(InvalidInput, match="'Alone' must take the problem and options"):
            catalog.strategy(Alone, PROBLEM)

    def test_a_type_error_inside_the_class_is_not_hidden(self) -> None:
        def broken(problem: Problem) -> object:
            return len(problem)  # type: ignore[arg-type]

        with pytest.raises(TypeError, match="has no len"):
            catalog.strategy(broken, PROBLEM)


class TestPlugins:
    @pytest.fixture
    def install(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
        """Puts a distribution with entry points on the path."""

        def add(package: str, source: str, *points: str, group: str = "tunewright.strategies") -> None:
            (tmp_path / f"{package}.py").write_text(source)
            info = tmp_path / f"{package}-1.0.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
            (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *points, ""]))
            monkeypatch.syspath_prepend(str(tmp_path))

        return add

    SOURCE = """
class Outer:
    class Spiral:
        def __init__(self, problem, *, turns=1):
            self.turns = turns
        def suggest(self, history, n):
            return []
class Calm:
    def __init__(self, problem): ...
    def decide(self, history, number): ...
"""

    def test_a_plugins_strategy(self, install: Callable[..., None]) -> None:
        install("spiral_search", self.SOURCE, "spiral = spiral_search:Outer.Spiral")
        assert "spiral" in catalog.names("strategies")
        made: Any = catalog.strategy("spiral", PROBLEM, turns=4)
        assert made.turns == 4
        with pytest.raises(InvalidInput, match="did you mean 'spiral'"):
            catalog.strategy("spirale", PROBLEM)

    def test_a_plugins_stopper(self, install: Callable[..., None]) -> None:
        install("calm_stopper", self.SOURCE, "calm = calm_stopper:Calm [extra]", group="tunewright.stoppers")
        assert catalog.names("stoppers") == sorted(["calm", *catalog.BUILT_IN["stoppers"]])
        assert type(catalog.stopper("calm", PROBLEM)).__name__ == "Calm"

    def test_a_plugin_can_not_replace_a_built_in(self, install: Callable[..., None]) -> None:
        install("usurper", self.SOURCE, "random = usurper:Outer.Spiral")
        assert type(catalog.strategy("random", PROBLEM)) is RandomStrategy

    def test_two_plugins_of_one_name(self, install: Callable[..., None]) -> None:
        install("left_search", self.SOURCE, "spiral = left_search:Outer.Spiral")
        install("right_search", self.SOURCE, "spiral = right_search:Outer.Spiral")
        with pytest.raises(InvalidInput, match=r"several claim it: left_search:Outer\.Spiral, right_search:Outer\.Spiral"):
            catalog.strategy("spiral", PROBLEM)

    @pytest.mark.parametrize("target", ["broken_search:Nothing", "no_such_module:X"])
    def test_a_plugin_that_can_not_be_imported(self, install: Callable[..., None], target: str) -> None:
        install("broken_search", self.SOURCE, f"lost = {target}")
        with pytest.raises(InvalidInput, match=f"must be a plugin that can be imported \\({target}: ") as caught:
            catalog.strategy("lost", PROBLEM)
        assert caught.value.__cause__ is not None
