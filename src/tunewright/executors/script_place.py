"""The folder of one script execution: who supervises it, who owns it, and what its end is to be.

    claim.json      written once, before the script starts: the supervisor's process and the slot; or that nothing may start
    owner           the executor that follows it now; another one that was here before keeps its hands off
    end.json        the end that a kill is to bring, written before the kill
    output.jsonl    for metrics that the script writes as JSON lines, unless it has a place of its own for them
    params.json     the configuration, when the command asks for a file

Beside these are the spool and the order file of `protocol`. Standard library only: supervisors use it too.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from pathlib import Path
from typing import Any

METRICS = "output.jsonl"
PARAMS = "params.json"


class Place:
    """See the module.

    Args:
        folder: the execution's folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def claim(self, record: dict[str, Any]) -> bool:
        """Writes the claim, whole, unless there is one: whether it was written. Of two that try, one succeeds."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path, temporary = self.folder / "claim.json", self._temporary("claim")
        try:
            temporary.write_text(json.dumps(record), encoding="utf-8")
            os.link(temporary, path)
        except FileExistsError:
            return False
        except (PermissionError, NotImplementedError):  # a file system without links; a reader may meet a claim half written
            try:
                with path.open("x", encoding="utf-8") as file:
                    file.write(json.dumps(record))
            except FileExistsError:
                return False
        finally:
            temporary.unlink(missing_ok=True)
        return True

    def claimed(self) -> dict[str, Any] | None:
        """The claim; None when there is none."""
        return self._read("claim.json")

    def own(self, owner: str) -> None:
        """Makes an executor the owner."""
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self._temporary("owner")
        temporary.write_text(owner, encoding="ascii")
        temporary.replace(self.folder / "owner")

    def owned_by(self, owner: str) -> bool:
        """Whether an executor is the owner, or nobody can tell."""
        try:
            return (self.folder / "owner").read_text(encoding="ascii") == owner
        except OSError:
            return True

    def decide_end(self, record: dict[str, Any]) -> None:
        """Leaves the end that a kill is to bring. The first one counts."""
        path = self.folder / "end.json"
        if not path.exists():
            with contextlib.suppress(OSError):  # no space: the end will be that of a killed script
                temporary = self._temporary("end")
                temporary.write_text(json.dumps(record), encoding="utf-8")
                temporary.replace(path)

    def decided_end(self) -> dict[str, Any] | None:
        """The end that was left; None when there is none."""
        return self._read("end.json")

    def last_order(self) -> dict[str, Any] | None:
        """The last order that was left for the script; None when there is none."""
        return self._read("order.json")

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            record = json.loads((self.folder / name).read_bytes())
        except (OSError, ValueError):
            return None
        return record if isinstance(record, dict) else None

    def _temporary(self, name: str) -> Path:
        return self.folder / f".{name}.{secrets.token_hex(4)}"
