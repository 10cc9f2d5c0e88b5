"""The arguments and options of commands, each declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def _option(*flags: str, help: str, panel: str | None = None, metavar: str | None = None, **rules: Any) -> Any:
    return typer.Option(*flags, help=help, rich_help_panel=panel, metavar=metavar, show_default=False, **rules)


# --- of all commands ---

Store = Annotated[
    str | None,
    _option(
        "--store", help="Where jobs are stored: a file or an address; else $TUNEWRIGHT_STORE, else the project's .tunewright/."
    ),
]
Json = Annotated[bool, _option("--json", help="Print one JSON document instead of text.")]
JobName = Annotated[str, typer.Argument(metavar="NAME", help="The job's name, as in `tunewright list`.", show_default=False)]
TrialNumber = Annotated[int | None, typer.Argument(metavar="[TRIAL]", help="A trial's number.", show_default=False)]

# --- of commands that run a job ---

_SEARCH, _LIMITS, _TRIAL, _JOB = "What to search", "When to end", "What one trial gets", "The job"
_SCRIPT = "How a program is run"

Target = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help="What to tune: a program (train.py), a function (package.module:function, path/to/file.py:function), or a file "
        "(tune.yaml, also a sweep of W&B's).",
        show_default=False,
    ),
]
Arguments = Annotated[
    list[str] | None,
    typer.Argument(metavar="-- ARGUMENT", help="A program's own arguments, before the parameters.", show_default=False),
]
Parameters = Annotated[
    list[str] | None,
    _option(
        "--param",
        "-p",
        help="A parameter: lr=1e-5..1e-1:log, layers=1..6, opt=sgd,adam, or a fixed value: epochs=10. "
        "May be repeated; added to the space of the file or beside the function.",
        panel=_SEARCH,
        metavar="NAME=SPEC",
    ),
]
Space = Annotated[
    str | None,
    _option(
        "--space",
        help="The variable beside the function that holds the search space, else `space`.",
        panel=_SEARCH,
        metavar="VARIABLE",
    ),
]
Metric = Annotated[str | None, _option("--metric", help="The metric to optimise.", panel=_SEARCH, metavar="NAME")]
Goal = Annotated[
    str | None,
    _option("--goal", help="minimize or maximize; well-known metrics tell it by their name.", panel=_SEARCH, metavar="GOAL"),
]
Require = Annotated[
    list[str] | None,
    _option(
        "--require",
        help="A limit on another metric, such as 'latency_ms <= 20'. May be repeated.",
        panel=_SEARCH,
        metavar="LIMIT",
    ),
]
Strategy = Annotated[
    str | None,
    _option("--strategy", help="How configurations are chosen: auto, random, sobol, grid ...", panel=_SEARCH, metavar="NAME"),
]
Stopper = Annotated[
    str | None, _option("--stopper", help="What ends poor trials early: auto, none ...", panel=_SEARCH, metavar="NAME")
]
MaxStep = Annotated[
    int | None, _option("--max-step", help="The last step that a trial reports.", panel=_SEARCH, metavar="STEP")
]
Seed = Annotated[
    int | None, _option("--seed", help="Makes the search repeatable; else drawn and printed.", panel=_SEARCH, metavar="SEED")
]

MaxTrials = Annotated[
    int | None, _option("--max-trials", help="This many trials over the job's life.", panel=_LIMITS, metavar="N")
]
MaxTime = Annotated[
    str | None, _option("--max-time", help="This long over the job's life: 90, 30m, 2h.", panel=_LIMITS, metavar="TIME")
]
GoalValue = Annotated[
    float | None, _option("--target", help="As soon as the metric is this good.", panel=_LIMITS, metavar="VALUE")
]

MaxParallel = Annotated[
    int | None, _option("--max-parallel", help="Trials at once; else as many as fit the cores.", panel=_TRIAL, metavar="N")
]
Cpus = Annotated[int | None, _option("--cpus", help="Cores of one trial, else 1.", panel=_TRIAL, metavar="N")]
Gpus = Annotated[float | None, _option("--gpus", help="GPUs of one trial, else none.", panel=_TRIAL, metavar="N")]
Memory = Annotated[
    str | None, _option("--memory", help="The most memory of one trial: 2GB, 512MiB.", panel=_TRIAL, metavar="SIZE")
]
TrialTime = Annotated[
    str | None, _option("--trial-time", help="The longest that one trial may run: 30m.", panel=_TRIAL, metavar="TIME")
]
Executor = Annotated[
    str | None, _option("--executor", help="Where trials run: process, or inline in this one.", panel=_TRIAL, metavar="NAME")
]

Regex = Annotated[
    list[str] | None,
    _option(
        "--regex",
        help="Reads the metric from what the program prints: 'loss=([0-9.]+)', or NAME=~PATTERN for another one. "
        "May be repeated.",
        panel=_SCRIPT,
        metavar="PATTERN",
    ),
]
Template = Annotated[
    str | None,
    _option(
        "--arguments",
        help="What a parameter becomes, else --{name}={value}; hydra, flags (--name for true), or none.",
        panel=_SCRIPT,
        metavar="TEMPLATE",
    ),
]
StepRegex = Annotated[
    str | None, _option("--step", help="Reads the step that printed metrics belong to.", panel=_SCRIPT, metavar="PATTERN")
]
MetricsFile = Annotated[
    str | None, _option("--metrics-file", help="Where it writes metrics as JSON lines.", panel=_SCRIPT, metavar="FILE")
]
Env = Annotated[
    list[str] | None,
    _option("--env", help="A further environment variable. May be repeated.", panel=_SCRIPT, metavar="NAME=VALUE"),
]
Cwd = Annotated[str | None, _option("--cwd", help="Its working directory, else the current one.", panel=_SCRIPT, metavar="DIR")]
LogLimit = Annotated[
    str | None, _option("--log-limit", help="The most that a trial's log may hold, else 100MB.", panel=_SCRIPT, metavar="SIZE")
]

Name = Annotated[str | None, _option("--name", help="Its name, else <function>-<date>-<n>.", panel=_JOB, metavar="NAME")]
Tags = Annotated[list[str] | None, _option("--tag", help="A tag. May be repeated.", panel=_JOB, metavar="KEY=VALUE")]
Resume = Annotated[bool, _option("--resume", help="Go on with the job of this name when there is one.", panel=_JOB)]
Notify = Annotated[
    list[str] | None,
    _option(
        "--notify",
        help="Who is told of the first failure, a near limit and the end: https://..., mailto:... May be repeated.",
        panel=_JOB,
        metavar="ADDRESS",
    ),
]
Artifacts = Annotated[
    str | None,
    _option(
        "--artifacts", help="Keep checkpoints and artifacts there, too: s3://bucket/prefix.", panel=_JOB, metavar="ADDRESS"
    ),
]
KeepCheckpoints = Annotated[
    str | None, _option("--keep", help="Whose checkpoints stay: all, or top:3.", panel=_JOB, metavar="WHAT")
]
DryRun = Annotated[bool, _option("--dry-run", help="Say what would run, and start nothing.", panel=_JOB)]
Detach = Annotated[bool, _option("--detach", help="Run in the background; it outlives the terminal.", panel=_JOB)]

Wait = Annotated[bool, _option("--wait", help="Return only when it has ended.")]

# --- of commands that remove, compare and export ---

Yes = Annotated[bool, _option("--yes", "-y", help="Don't ask.")]
JobNames = Annotated[list[str], typer.Argument(metavar="NAME", help="The jobs' names.", show_default=False)]
Output = Annotated[
    Path | None, _option("--output", "-o", help="The file to write; else CSV or JSON is printed.", metavar="FILE")
]
Format = Annotated[str | None, _option("--format", help="csv, json or parquet, else as the file's name tells.", metavar="NAME")]
Reports = Annotated[bool, _option("--reports", help="The single values that trials reported, too (JSON), or alone.")]

# --- of `store` ---

Backup = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="A .tar.gz with jobs' files, or the database alone (.db).", show_default=False),
]
OlderThan = Annotated[str | None, _option("--older-than", help="Jobs that ended so long ago: 30d.", metavar="TIME")]
Keep = Annotated[int | None, _option("--keep", help="But for so many of the newest jobs.", metavar="N", min=0)]
SpareCheckpoints = Annotated[bool, _option("--checkpoints", help="Checkpoints of ended jobs, but those of the best trial.")]
OnlySay = Annotated[bool, _option("--dry-run", help="Say what would be done, and do nothing.")]

# --- of commands that read ---

CheckedFile = Annotated[
    Path | None, typer.Argument(metavar="FILE", help="A tune.yaml, or a sweep file of W&B's, to check.", show_default=False)
]
Schema = Annotated[bool, _option("--schema", help="Print the JSON Schema of tune.yaml, for editors.")]
Limit = Annotated[
    int | None, _option("--limit", help="At most this many jobs, else 50, or all with --json.", metavar="N", min=1)
]
Top = Annotated[int, _option("--top", help="How many of the best trials are shown, else 10.", metavar="N", min=1)]
Plot = Annotated[
    str | None,
    _option("--plot", help="Draw it as text: history, slices (by parameter), parallel (best trials), all.", metavar="KIND"),
]
Follow = Annotated[bool, _option("--follow", "-f", help="Print what is added, until the trial or the job has ended.")]
