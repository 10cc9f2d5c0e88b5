"""What a job needs to be resumed by another process: its request and its function, as files in its folder."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from tunewright.errors import InvalidInput, StoreDamaged
from tunewright.lifecycle.request import Request
from tunewright.spec import JobSpec

_FILE = "request.pkl"


@dataclass(frozen=True, slots=True)
class Saved:
    """The picklable part of a request."""

    spec: JobSpec
    strategy: object
    stopper: object
    notify: tuple[str, ...] = ()


def save(request: Request, strategy: object, stopper: object, folder: Path) -> None:
    """Writes a request beside the job's function, whole or not at all.

    Args:
        strategy, stopper: as they were given: names, classes or objects.

    Raises:
        InvalidInput: a strategy, stopper or constraint that can't be pickled.
    """
    import cloudpickle

    buffer = io.BytesIO()
    try:
        cloudpickle.dump(Saved(request.spec, strategy, stopper, request.notify), buffer)
    except Exception as error:
        raise InvalidInput("strategy, stopper and constraints", f"must be picklable ({error})") from error
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{_FILE}.partial"
    temporary.write_bytes(buffer.getvalue())
    temporary.replace(folder / _FILE)


def load(folder: Path, name: str) -> Saved:
    """A request that was saved. Raises InvalidInput when there is none, StoreDamaged when it can't be read."""
    import pickle

    path = folder / _FILE
    try:
        saved = pickle.loads(path.read_bytes())
    except FileNotFoundError:
        rule = "must have been saved with its job; resume it from Python with the same function: tw.tune(..., resume=True)"
        raise InvalidInput(f"request of job {name!r}", rule) from None
    except Exception as error:
        raise StoreDamaged(f"the request of job {name!r} can't be read from {path}: {error}") from error
    assert isinstance(saved, Saved)
    return saved
