"""BLAS on one thread: small matrices are faster so, and a suggestion doesn't depend on how many cores there are."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


@cache
def _controller() -> ThreadpoolController:
    from scipy.linalg import lapack  # noqa: F401  loads scipy's BLAS, which the controller must find
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def single_threaded() -> AbstractContextManager[object]:
    """A context in which BLAS uses one thread; afterwards it is as before."""
    return cast("AbstractContextManager[object]", _controller().limit(limits=1, user_api="blas"))
