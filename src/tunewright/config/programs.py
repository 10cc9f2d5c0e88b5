"""How a program is started that is named by its file: by an interpreter, or by itself."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from tunewright.errors import InvalidInput

_INTERPRETERS = {".sh": "bash", ".R": "Rscript", ".r": "Rscript", ".jl": "julia", ".js": "node", ".pl": "perl", ".rb": "ruby"}


def started(field: str, program: str, folder: Path | None = None) -> list[str]:
    """The beginning of the command that starts a program.

    A file of Python's is started by this Python; others start themselves, or, when they can't, by the interpreter that their
    suffix tells.

    Args:
        field: what names the program, for errors.
        folder: what its path is relative to; None: the current folder.

    Raises:
        InvalidInput: there is no such file, nor a program of this name in PATH.
    """
    path = Path(folder or "", program)
    if not path.is_file():
        if os.sep not in program and shutil.which(program) is not None:
            return [program]
        where = "" if folder is None else f" in {folder}"
        raise InvalidInput(field, f"must name a file{where}, or a program in PATH", program)
    if path.suffix == ".py":
        return [sys.executable, program]
    interpreter = _INTERPRETERS.get(path.suffix)
    if interpreter is not None and not os.access(path, os.X_OK):
        return [interpreter, program]
    return [program if os.sep in program else f".{os.sep}{program}"]
