"""What the documentation shows is what happens."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.snippets import PAGES, ROOT, commands, files, mark, matches, program

WITH_PROGRAMS = [page for page in PAGES if program(page)[0]]
WITH_COMMANDS = [page for page in PAGES if commands(page)]


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _environment() -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TUNEWRIGHT_")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    return environment


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_PROGRAMS, ids=_name)
def test_the_programs_of_a_page_run_and_print_what_it_shows(page: Path, tmp_path: Path) -> None:
    source, shown = program(page)
    for name, text in files(page).items():
        (tmp_path / name).write_text(text)
    (tmp_path / "page.py").write_text(source)
    done = subprocess.run(
        [sys.executable, "-W", "error", "page.py"],
        cwd=tmp_path, env=_environment(), capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    for number, expected in enumerate(shown):
        printed = done.stdout.split(mark(number))[1].split(mark(number + 1))[0].strip("\n")
        if expected is not None:
            same = matches(expected.body.splitlines(), printed.splitlines(), varying=expected.title == "varying")
            assert same, f"{page.name}, snippet {number} printed:\n{printed}"


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_COMMANDS, ids=_name)
def test_the_commands_of_a_page_run_and_print_what_it_shows(page: Path, tmp_path: Path) -> None:
    for name, text in files(page).items():
        (tmp_path / name).write_text(text)
    for command in commands(page):
        done = subprocess.run(
            ["bash", "-c", command.text],
            cwd=tmp_path, env=_environment(), capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"$ {command.text}\n{done.stdout}{done.stderr}"
        assert matches(command.output, done.stdout.splitlines()), f"$ {command.text}\n{done.stdout}"


def test_the_pages_that_must_have_snippets_have_them() -> None:
    assert {_name(page) for page in WITH_PROGRAMS} >= {"README.md", "docs/guides/functions.md", "docs/guides/scripts.md"}
    assert {_name(page) for page in WITH_COMMANDS} >= {"docs/guides/command-line.md"}


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        (["a"], ["a"], True),
        (["a"], ["b"], False),
        (["a"], ["a", "b"], False),
        (["a", "..."], ["a", "b", "c"], True),
        (["a", "...", "c"], ["a", "c"], True),
        (["a", "...", "c"], ["a", "b", "d"], False),
        (["after 1.0 s: done"], ["after 4 min: done"], True),
        (["best ... in trial 3"], ["best 0.5 in trial 3"], True),
        (["best ... in trial 3"], ["best 0.5 in trial 4"], False),
        (["train-20260101-1 a  b"], ["train-20271231-22 a b"], True),
    ],
)
def test_output_is_compared_line_by_line(shown: list[str], printed: list[str], same: bool) -> None:
    assert matches(shown, printed) is same


def test_numbers_that_a_search_finds_may_vary() -> None:
    assert matches(["best 0.5 at 1e-05"], ["best 12 at 0.25"], varying=True)
    assert not matches(["best 0.5 at 1e-05"], ["best 12 at 0.25"])
    assert not matches(["best 0.5"], ["best none"], varying=True)
