"""The command `tunewright`: its commands, and what it returns to the shell.

Exit codes: 0 completed, 1 failed, 2 bad input, 130 interrupted.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from tunewright.cli import comparing, deleting, doctor, exporting, reading, storing, tuning
from tunewright.cli.output import print_error
from tunewright.errors import InvalidInput, TunewrightError

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130

app = typer.Typer(
    name="tunewright",
    help="Tunes models: finds the hyperparameters that make a training function or script do best.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("tune")(tuning.tune)
app.command("resume")(tuning.resume)
app.command("stop")(tuning.stop)
app.command("attach")(tuning.attach)
app.command("list")(reading.list_jobs)
app.command("show")(reading.show)
app.command("best")(reading.best)
app.command("logs")(reading.logs)
app.command("compare")(comparing.compare)
app.command("export")(exporting.export)
app.command("delete")(deleting.delete)
app.command("doctor")(doctor.doctor)
store_app = typer.Typer(help="Saves, restores, prunes and upgrades a store.", no_args_is_help=True)
store_app.command("backup")(storing.backup)
store_app.command("restore")(storing.restore)
store_app.command("prune")(storing.prune)
store_app.command("upgrade")(storing.upgrade)
app.add_typer(store_app, name="store")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"tunewright {version('tunewright')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


def main(arguments: list[str] | None = None) -> None:
    """Runs one command and exits with its code. Errors of Tunewright's own become one clean line."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        app(given)
    except TunewrightError as error:
        print_error(error, as_json="--json" in given)
        sys.exit(BAD_INPUT if isinstance(error, InvalidInput) else FAILED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
