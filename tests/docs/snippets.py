"""The snippets of a page: programs, files, console sessions, and the output that the page shows."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(?P<kind>\S*)(?: (?P<title>\S+))?\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = ("python", "bash", "yaml", "json", "c")  # kinds of blocks that are files when they have a title
NOT_RUN = ("make ",)  # they set up environments; the suite itself runs within one


@dataclass(frozen=True)
class Block:
    """One fenced block: its kind (`python`, `console`, `output` ...), a title after it, and its text."""

    kind: str
    title: str
    body: str


@dataclass
class Command:
    """One command of a console session, and the lines that the page shows after it."""

    text: str
    output: list[str] = field(default_factory=list)


def blocks(page: Path) -> list[Block]:
    return [Block(m["kind"], m["title"] or "", m["body"]) for m in FENCE.finditer(page.read_text())]


def program(page: Path) -> tuple[str, list[Block | None]]:
    """All Python snippets of a page as one program that prints a mark before each, and the output shown after each."""
    parts: list[str] = []
    shown: list[Block | None] = []
    previous = ""
    for block in blocks(page):
        if block.kind == "python" and not block.title:
            parts.append(f"print({mark(len(shown))!r}, flush=True)\n{block.body}")
            shown.append(None)
        elif block.kind == "output":
            assert previous == "python", f"{page.name}: an output block must follow a python block"
            shown[-1] = block
        previous = block.kind
    return "\n".join(parts), shown


def mark(number: int) -> str:
    return f"<<snippet {number}>>"


def files(page: Path) -> dict[str, str]:
    """The files that a page shows, by name."""
    return {block.title: block.body for block in blocks(page) if block.title and block.kind not in ("output", "console")}


def commands(page: Path) -> list[Command]:
    """The console sessions of a page, in order, without those that set up environments."""
    found: list[Command] = []
    for block in blocks(page):
        if block.kind != "console":
            continue
        for line in block.body.splitlines():
            if line.startswith("$ "):
                found.append(Command(line[2:]))
            else:
                found[-1].output.append(line)
    return [command for command in found if not command.text.startswith(NOT_RUN)]


def matches(shown: list[str], printed: list[str], *, varying: bool = False) -> bool:
    """Whether printed lines are what a page shows. A line `...` stands for any lines, `...` in a line for any text.

    Durations and dates differ from run to run and are not compared, nor is white space; with `varying` (an output block with
    that title), neither are other numbers: those that a search with several workers finds.
    """
    pattern = ""
    for line in shown:
        if line.strip() == "...":
            pattern += r"(?:.*\n)*?"
        else:
            pieces = [re.escape(piece) for piece in _general(line, varying).split("...")]
            pattern += ".*".join(pieces) + r"\n"
    return re.fullmatch(pattern, "".join(f"{_general(line, varying)}\n" for line in printed)) is not None


def _general(line: str, varying: bool) -> str:
    line = re.sub(r"\d+(\.\d+)? (s|min|h)\b", "<time>", line)
    line = re.sub(r"\d{8}-\d+|\d{4}-\d\d-\d\d( \d\d:\d\d)?", "<date>", line)
    if varying:
        line = re.sub(r"-?\b\d+(\.\d+)?(e[+-]?\d+)?\b", "<number>", line)
    return re.sub(r"\s+", " ", line).strip()
