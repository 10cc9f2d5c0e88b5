"""What a target asks for, before what the command line says besides is added."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tunewright.config.document import Document
from tunewright.space import SearchSpace


@dataclass(slots=True)
class Draft:
    """A job as a file, or a target of the command line, asks for it.

    Attributes:
        function: `module:function` or `file.py:function`.
        script: in place of a function, the keyword arguments of a Script.
        space: None when it isn't said.
        options: of `tune`, as far as they are said.
        on_trial: a function to call with each trial that has ended, as a target.
        document: the file that says it.
    """

    function: str | None = None
    script: dict[str, Any] | None = None
    space: SearchSpace | None = None
    options: dict[str, Any] = field(default_factory=dict)
    on_trial: str | None = None
    document: Document | None = None
