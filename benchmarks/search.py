"""How good the configurations are that strategies find: regret after 10, 25 and 50 trials, on public tuning problems.

    python -m benchmarks.search [--problems small|public|NAME ...] [--seeds 0-4] [--trials 50]
                                [--strategies bayesian ...] [--peers optuna_gp ...] [--rerun] [--save FILE]
                                [--workers 4] [--failures random|region]

The problems, their reference values and the recorded runs of peers are in a folder given by `--bench` or
`$TUNEWRIGHT_BENCH` (default `../shared/bench`). BLAS has one thread; runs are sequential unless `--workers` says otherwise
(of strategies; of peers never), and the same seed gives the same noise to all. Normalised regret is 0 at the best known
loss and 1 at the median of random configurations; "geo" is the geometric mean of (regret + 0.005). `--rerun` runs the
peers again instead of reading their recorded runs.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.table import show
from tunewright import catalog
from tunewright.history import Ledger
from tunewright.interfaces import New, Problem
from tunewright.objective import Objective
from tunewright.records import Params, Status, Trial
from tunewright.space import Categorical, Float, Int, SearchSpace

CHECKPOINTS = (10, 25, 50, 100)


@dataclass(frozen=True)
class Run:
    """One sequential search: losses (without noise where the truth is known) and seconds before each evaluation."""

    peer: str
    task: str
    seed: int
    n: int
    losses: list[float]
    gaps: list[float]


def search_space(parameters: Sequence[Any]) -> SearchSpace:
    """A problem's neutral description of its space as ours. Ordered choices stay ordered categoricals."""
    made: dict[str, Any] = {}
    for p in parameters:
        when = None if p.cond is None else {p.cond[0]: list(p.cond[1])}
        scale = "log" if p.log else "linear"
        if p.type == "cat":
            made[p.name] = Categorical(list(p.choices), ordered=p.ordered, when=when)
        elif p.type == "int":
            made[p.name] = Int(int(p.low), int(p.high), scale=scale, when=when)
        else:
            made[p.name] = Float(float(p.low), float(p.high), scale=scale, when=when)
    return SearchSpace(made)


@dataclass(frozen=True)
class Conditions:
    """Under which conditions strategies are played; peers always run one trial after the other, without failures.

    Args:
        workers: trials that run at once; which one ends first is drawn at random.
        failures: "none"; "random": 30% of the trials fail by chance, and successful trials are counted; "region": a third of
            the space fails, on one side of a random plane, and all trials are counted.
    """

    workers: int = 1
    failures: str = "none"


def run_strategy(
    name: str, make: Callable[[Problem], Any], task: Any, seed: int, trials: int, conditions: Conditions | None = None
) -> Run:
    """Plays one search of a strategy. The noise of the k-th result depends on the seed and k alone."""
    given = conditions or Conditions()
    space = search_space(task.space)
    problem = Problem(space, (Objective("loss"),), seed=seed, max_trials=trials, max_parallel=given.workers)
    strategy, ledger = make(problem), Ledger(space, problem.objectives)
    fails, rng = _failure(given.failures, space, task.name, seed), np.random.default_rng([seed, 5])
    losses: list[float] = []
    gaps: list[float] = []
    running: list[tuple[int, Params]] = []
    while len(losses) < trials:
        while len(running) < given.workers:
            start = time.perf_counter()
            proposals = strategy.suggest(ledger.view(), 1)
            gaps.append(time.perf_counter() - start)
            if not isinstance(proposals, Sequence):
                break
            (proposal,) = proposals
            assert isinstance(proposal, New)
            running.append((len(ledger), proposal.params))
            ledger.record(Trial(len(ledger), proposal.params, seed=seed), ledger.event + 1)
        if not running:
            break
        number, params = running.pop(int(rng.integers(len(running))))
        if fails(params):
            ledger.record(Trial(number, params, seed=seed, status=Status.FAILED), ledger.event + 1)
            losses += [float("inf")] if given.failures == "region" else []
            continue
        loss = task.evaluate(_complete(task, params), seed=1000 * seed + len(losses) + 1)[0]
        trial = Trial(number, params, seed=seed, status=Status.COMPLETED, objectives=(loss,))
        ledger.record(trial, ledger.event + 1)
        losses.append(float(task.truth(params) if hasattr(task, "truth") else loss))
    return Run(name, task.name, seed, trials, losses, gaps)


def _failure(kind: str, space: SearchSpace, task: str, seed: int) -> Callable[[Params], bool]:
    """Which trials fail."""
    if kind == "none":
        return lambda params: False
    rng = np.random.default_rng([seed, zlib.crc32(task.encode())])
    if kind == "random":
        return lambda params: bool(rng.random() < 0.3)
    normal = rng.standard_normal(len(space))

    def side(params: Params) -> float:
        return float(np.nan_to_num(space.encode(params) - 0.5) @ normal)

    border = float(np.quantile([side(space.sample(rng)) for _ in range(400)], 2 / 3))
    return lambda params: side(params) > border


def _complete(task: Any, params: Params) -> dict[str, Any]:
    """The problems look at inactive parameters before they drop them."""
    return {p.name: params.get(p.name, p.choices[0] if p.choices else p.low) for p in task.space}


def run_peer(name: str, adapters: Any, task: Any, seed: int, trials: int) -> Run:
    """Plays one search of a peer through its adapter."""
    losses: list[float] = []
    gaps: list[float] = []
    last = time.perf_counter()

    def objective(config: dict[str, Any]) -> float:
        nonlocal last
        gaps.append(time.perf_counter() - last)
        if len(losses) == trials:
            raise adapters.Done
        loss = float(task.evaluate(config, seed=1000 * seed + len(losses) + 1)[0])
        losses.append(float(task.truth(config) if hasattr(task, "truth") else loss))
        last = time.perf_counter()
        return loss

    with contextlib.suppress(adapters.Done):
        adapters.PEERS[name](task.space, objective, trials, seed, task)
    return Run(name, task.name, seed, trials, losses, gaps[:trials])


def recorded(bench: Path, peer: str, tasks: Iterable[str], seeds: Iterable[int], trials: int) -> list[Run]:
    """A peer's recorded runs of at least so many trials on these problems, of these seeds."""
    path, tasks, seeds = bench / "results" / f"{peer}.jsonl", set(tasks), set(seeds)
    runs = []
    for line in path.read_text().splitlines() if path.exists() else ():
        data = json.loads(line)
        if data["task"] in tasks and data["seed"] in seeds and len(data["losses"]) >= trials:
            runs.append(Run(peer, data["task"], data["seed"], trials, data["losses"], data["gaps"]))
    return runs


def regrets(suite: Any, run: Run) -> list[float]:
    """Normalised regret of the best loss so far, at the checkpoints."""
    return [suite.regret(run.task, min(run.losses[:at])) for at in CHECKPOINTS if at <= run.n]


def summarise(suite: Any, runs: list[Run]) -> None:
    """One row per strategy or peer: mean regret, geo, and the median time of a suggestion late in the search."""
    rows = []
    for name in dict.fromkeys(run.peer for run in runs):
        own = [run for run in runs if run.peer == name]
        table = np.array([regrets(suite, run) for run in own])
        geo = np.exp(np.log(table + 0.005).mean(0))
        late = 1000 * float(np.median([np.median(run.gaps[-15:]) for run in own]))
        cells = [f"{mean:.3f}" for mean in table.mean(0)] + [f"{value:.3f}" for value in geo]
        rows.append((name, len(own), *cells, f"{late:.1f}"))
    at = [point for point in CHECKPOINTS if point <= runs[0].n]
    show(("search", "runs", *(f"mean at {k}" for k in at), *(f"geo at {k}" for k in at), "ms per suggestion, late"), rows)


def _seeds(text: str) -> list[int]:
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.search", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bench", type=Path, default=Path(os.environ.get("TUNEWRIGHT_BENCH", "../shared/bench")))
    parser.add_argument("--problems", nargs="+", default=["small"])
    parser.add_argument("--seeds", type=_seeds, default=_seeds("0-2"))
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--failures", choices=["none", "random", "region"], default="none")
    parser.add_argument("--strategies", nargs="*", default=["bayesian"])
    parser.add_argument("--peers", nargs="*", default=["optuna_gp", "optuna_tpe", "random"])
    parser.add_argument("--rerun", action="store_true")
    parser.add_argument("--save", type=Path)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    given = _arguments([] if arguments is None else arguments)
    sys.path.insert(0, str(given.bench))
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"  # for what peers load; numpy is loaded already
    with threadpool_limits(1):
        _compare(given, importlib.import_module("suite"), importlib.import_module("peers"))


def _compare(given: argparse.Namespace, suite: Any, peers: Any) -> None:
    named = {"small": suite.SMALL, "public": suite.PUBLIC}
    tasks = [task for name in given.problems for task in named.get(name, [name])]
    runs: list[Run] = []
    for name in given.strategies:
        make = catalog.load("strategies", name)
        runs += [
            run_strategy(name, make, suite.get(task), seed, given.trials, Conditions(given.workers, given.failures))
            for seed in given.seeds
            for task in tasks
        ]
    for peer in given.peers:
        if given.rerun:
            runs += [run_peer(peer, peers, suite.get(task), seed, given.trials) for seed in given.seeds for task in tasks]
        else:
            runs += recorded(given.bench, peer, tasks, given.seeds, given.trials)
    if given.save:
        given.save.write_text("".join(json.dumps(asdict(run)) + "\n" for run in runs))
    summarise(suite, runs)


if __name__ == "__main__":
    main(sys.argv[1:])
