"""Tells whether a training function has changed since a job was started."""

from __future__ import annotations

import hashlib
import inspect
import io
import textwrap
import tokenize
from functools import partial
from types import CodeType
from typing import Any

_LAYOUT = frozenset({tokenize.COMMENT, tokenize.NL, tokenize.ENDMARKER})
_BLOCKS = {tokenize.INDENT: "{", tokenize.DEDENT: "}", tokenize.NEWLINE: ";"}  # what a line belongs to counts, its width not


def fingerprint(function: Any) -> str:
    """A short hash of a function's source, or of its code where there is no source; equal in every process.

    Comments and layout don't count; what the function calls doesn't either.
    """
    while isinstance(function, partial):
        function = function.func
    function = inspect.unwrap(function)
    if not (inspect.isroutine(function) or inspect.isclass(function)):
        function = type(function)
    try:
        text = "\x1f".join(_tokens(textwrap.dedent(inspect.getsource(function))))
    except (OSError, TypeError):
        code = getattr(function, "__code__", None)
        text = _describe(code) if isinstance(code, CodeType) else f"{function.__module__}.{function.__qualname__}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _tokens(source: str) -> list[str]:
    try:
        found = [token for token in tokenize.generate_tokens(io.StringIO(source).readline) if token.type not in _LAYOUT]
    except (tokenize.TokenError, SyntaxError):  # a lambda's source may begin in the middle of a statement
        return [source]
    return [_BLOCKS.get(token.type, token.string) for token in found]


def _describe(code: CodeType) -> str:
    constants = [
        _describe(c) if isinstance(c, CodeType) else str(sorted(map(repr, c))) if isinstance(c, frozenset) else repr(c)
        for c in code.co_consts
    ]
    return repr((code.co_code, constants, code.co_names, code.co_varnames, code.co_freevars))
