"""Progress as a live display in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from tunewright.progress.board import Board
from tunewright.progress.display import Display
from tunewright.progress.ending import ending
from tunewright.progress.formatting import counted, format_duration, format_number, format_value
from tunewright.records import Status, Trial

if TYPE_CHECKING:
    from rich.console import Group
    from rich.text import Text

FAILURES = 3  # as many failures are told one by one
BAR = 30  # cells
SHOWN_RUNNING = 6  # running trials are named up to this many


class LiveProgress(Display):
    """A listener that keeps a few lines at the bottom of a terminal up to date.

    What training code prints to standard output meanwhile appears above them.
    """

    def __init__(self, board: Board, stream: TextIO) -> None:
        from rich.console import Console
        from rich.live import Live

        super().__init__(board)
        self._console = Console(file=stream, highlight=False)
        self._live = Live(console=self._console, get_renderable=self._render, transient=True, refresh_per_second=5)

    def __enter__(self) -> LiveProgress:
        self._print(self.board.brief.announcement())
        self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._live.stop()

    def finish(self) -> None:
        """Says how the job ended."""
        self._live.stop()
        for line in ending(self.board):
            self._print(line, style="bold green" if line.startswith("Best:") else "")

    def trial_ended(self, trial: Trial) -> None:
        super().trial_ended(trial)
        if trial.status is Status.FAILED and self.board.counts.failed < FAILURES:
            self._print(f"trial {trial.number} failed: {trial.reason}", style="red")

    def message(self, text: str) -> None:
        self._print(text)

    def _print(self, line: str, style: str = "") -> None:
        from rich.text import Text

        self._console.print(Text(line, style=style), soft_wrap=True)

    def _render(self) -> Group:
        from rich.console import Group

        return Group(*(line for line in (self._head(), self._best(), self._running(), self._waiting()) if line is not None))

    def _head(self) -> Text:
        from rich.text import Text

        board, counts = self.board, self.board.counts
        limit, left = board.brief.max_trials, board.time_left()
        line = Text()
        if limit is not None:
            full = round(BAR * min(1.0, counts.ended / limit))
            done, rest = ("#", "-") if self._console.options.ascii_only else ("━", "━")
            line.append(done * full, style="green").append(rest * (BAR - full), style="bright_black").append(" ")
            line.append(f"{counts.ended}/{limit} done")
        else:
            line.append(f"{counts.ended} done")
        waiting = sum(seen.waits is not None for seen in list(board.running.values()))
        line.append(f", {len(board.running) - waiting} running, {f'{waiting} waiting, ' if waiting else ''}")
        line.append(f"{counts.failed} failed", style="red" if counts.failed else "")
        line.append(f", {format_duration(board.elapsed)}")
        if left is not None:
            line.append(f", about {format_duration(left)} left")
        return line

    def _best(self) -> Text | None:
        from rich.text import Text

        best = self.board.best
        if best is None:
            return None
        line = Text(no_wrap=False)
        line.append("best ").append(self.best_text(), style="bold green")
        line.append(f" in trial {best.number}: ")
        for name, value in best.params.items():
            line.append(f"{name}=", style="bright_black").append(f"{format_value(value)} ")
        return line

    def _running(self) -> Text | None:
        from rich.text import Text

        running = [(number, seen) for number, seen in list(self.board.running.items()) if seen.waits is None]
        if not running:
            return None
        parts = []
        for number, seen in running[:SHOWN_RUNNING]:
            step = f" step {seen.step}" if seen.step else ""
            value = "" if seen.value is None else f" {format_number(seen.value)}"
            parts.append(f"{number}{step}{value}")
        more = len(running) - SHOWN_RUNNING
        if more > 0:
            parts.append(f"and {counted(more, 'trial')} more")
        return Text(f"running {', '.join(parts)}", style="bright_black")

    def _waiting(self) -> Text | None:
        from rich.text import Text

        waiting = [f"trial {number} {seen.waits}" for number, seen in list(self.board.running.items()) if seen.waits]
        return Text("; ".join(waiting), style="yellow") if waiting else None
