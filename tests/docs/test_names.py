"""The documentation names what exists, and all of it."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest
import typer.main

import tunewright as tw
from tests.docs.snippets import PAGES, ROOT, blocks
from tunewright.cli.main import app

DOCS = {page: page.read_text() for page in PAGES}
NAMES = [name for name in dir(tw) if not name.startswith("_")]
COMMANDS = sorted(
    [*(info.name or "" for info in app.registered_commands), *(info.name or "" for info in app.registered_groups)]
)
COMMAND_LINE = DOCS[ROOT / "docs/guides/command-line.md"]
ARCHITECTURE = ROOT / "docs/architecture.md"


def _rooms(text: str) -> list[list[str]]:
    return [[name.strip(" ()") for name in line.split("|")] for line in text.strip().splitlines()]


def _drawing(kind: str) -> str:
    (body,) = [block.body for block in blocks(ARCHITECTURE) if block.kind == kind]
    return body


def test_the_drawing_of_the_floors_is_the_one_that_lint_checks() -> None:
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    checked = _rooms(contracts["importlinter:contract:floors"]["layers"])
    drawn = _rooms("\n".join(re.split(r"\s{2,}", line)[0] for line in _drawing("floors").splitlines()))
    assert drawn == checked


def test_every_room_is_in_the_drawing() -> None:
    package = ROOT / "src" / "tunewright"
    rooms = {path.stem for path in package.glob("*.py")} | {path.parent.name for path in package.glob("*/__init__.py")}
    drawn = {
        name
        for floor in _rooms("\n".join(re.split(r"\s{2,}", f)[0] for f in _drawing("floors").splitlines()))
        for name in floor
    }
    assert drawn == rooms - {"__init__", "__main__"}


def test_the_drawing_of_the_data_names_what_exists() -> None:
    names = set(re.findall(r"\b[A-Z]\w+", _drawing("data"))) - {"Always"}
    source = "\n".join(path.read_text() for path in (ROOT / "src" / "tunewright").rglob("*.py"))
    for name in names:
        assert re.search(rf"^(class {name}\b|{name} = )", source, re.MULTILINE), f"{name} is in the drawing and nowhere else"
    for call in re.findall(r"[A-Z]\w+\.(\w+\([\w, ]*)\)", _drawing("data")):
        method, arguments = call.split("(")
        assert re.search(rf"def {method}\(self, {arguments.replace(', ', '[^,]*, ')}", source), call


@pytest.mark.parametrize("name", NAMES)
def test_every_name_of_the_package_exists_and_is_documented(name: str) -> None:
    assert getattr(tw, name) is not None
    assert re.search(rf"`tw\.{name}`", DOCS[ROOT / "docs/reference.md"])


def test_no_name_is_documented_that_does_not_exist() -> None:
    modules = {path.stem for path in (ROOT / "src" / "tunewright").iterdir()}
    for page, text in DOCS.items():
        for name in re.findall(r"\btw\.(\w+)", text):
            assert name in NAMES or name in modules, f"{page.name} names tw.{name}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented_with_its_options(name: str) -> None:
    section = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", COMMAND_LINE, re.MULTILINE | re.DOTALL)
    assert section, f"docs/guides/command-line.md has no section '{name}'"
    common, command = COMMAND_LINE.split("\n## ")[0], typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    parts = getattr(command, "commands", {})
    for part in parts:
        assert f"`{name} {part}`" in section[1], f"{name} {part} is not documented"
    for parameter in [*command.params, *(parameter for part in parts.values() for parameter in part.params)]:
        if parameter.param_type_name == "option":
            for flag in parameter.opts:
                assert f"`{flag}" in section[1] or f"`{flag}" in common, f"{name} {flag} is not documented"


def test_no_command_is_documented_that_does_not_exist() -> None:
    assert sorted(re.findall(r"^## (\w+)$", COMMAND_LINE, re.MULTILINE)) == COMMANDS
    for page, text in DOCS.items():
        for name in re.findall(r"`tunewright ([a-z]+)\b", text):
            assert name in COMMANDS, f"{page.name} names the command {name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", DOCS[page]):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_decisions_are_numbered_and_told_apart() -> None:
    for page in (ROOT / "docs" / "decisions").glob("*.md"):
        number = page.name[:4]
        assert DOCS[page].startswith(f"# {int(number)}. "), page.name
    numbers = [page.name[:4] for page in (ROOT / "docs" / "decisions").glob("*.md")]
    assert len(numbers) == len(set(numbers))
