"""What every command has in common: help, exit codes, errors, what is imported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.session import Session

pytestmark = pytest.mark.usefixtures("project")


def test_help_names_every_command(cli: Session) -> None:
    code, out, _ = cli("--help")
    assert code == 0
    for name in ("tune", "resume", "stop", "list", "show", "best", "logs", "doctor"):
        assert f" {name} " in out


def test_without_a_command_there_is_help(cli: Session) -> None:
    code, out, err = cli()
    assert code == 2
    assert "tune" in out + err


def test_version(cli: Session) -> None:
    import tunewright as tw

    assert cli("--version") == (0, f"tunewright {tw.__version__}\n", "")


def test_an_unknown_option_is_bad_input(cli: Session) -> None:
    code, out, err = cli("list", "--sotre", "x")
    assert code == 2
    assert out == ""
    assert "--sotre" in err


def test_an_error_is_one_clean_line(cli: Session) -> None:
    code, out, err = cli("show", "absent")
    assert (code, out) == (2, "")
    assert err == "error: job must be in the store (the store holds no job); got 'absent'\n"


def test_with_json_an_error_is_a_document_too(cli: Session) -> None:
    code, out, err = cli("show", "absent", "--json")
    assert code == 2
    assert json.loads(out)["error"]["type"] == "NotFound"
    assert json.loads(out)["error"]["field"] == "job"
    assert err.startswith("error: ")


def test_a_store_that_is_none_is_refused_and_left_alone(cli: Session, project: Path) -> None:
    (project / "notes.txt").write_text("no database, but something that somebody needs " * 50)
    before = (project / "notes.txt").read_bytes()
    code, out, err = cli("list", "--store", "notes.txt")
    assert (code, out) == (1, "")
    assert "notes.txt" in err
    assert "Traceback" not in err
    assert (project / "notes.txt").read_bytes() == before


@pytest.mark.slow
def test_listing_imports_little(project: Path) -> None:
    code = """
import sys
from tunewright.cli.main import main
try:
    main(["list"])
except SystemExit as end:
    assert not end.code, end.code
heavy = ("alembic", "cloudpickle", "lark", "numpy", "psutil", "rich", "scipy", "tunewright.engine.controller")
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
