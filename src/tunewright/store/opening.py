"""Opens stores."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from tunewright.errors import InvalidInput
from tunewright.interfaces import Store
from tunewright.store.location import FOLDER, locate


def open_store(store: str | os.PathLike[str] | Store | None = None, *, create: bool = True) -> Store:
    """The store at an address.

    Args:
        store: a path, `sqlite:///path?synchronous=FULL`, `postgresql://user@host/database?timeout=60`, or `"memory"`;
            None: `$TUNEWRIGHT_STORE`, else the project's `.tunewright/store.db`. A Store is given back as it is.
        create: a file that isn't there is made; else it is an error.

    Raises:
        InvalidInput: the address means nothing, is a folder, or a file on a network file system; there is no such file.
        StoreError: the store can't be used; it was left as it is, and the message says what to do.
    """
    if store is not None and not isinstance(store, (str, os.PathLike)):
        if not callable(getattr(store, "commit", None)):
            raise InvalidInput("store", "must be a path, an address or a Store", store)
        return store
    place = locate(store)
    if place.kind == "memory":
        from tunewright.store.memory import MemoryStore

        return MemoryStore()
    from tunewright.store.sql.store import open_postgresql, open_sqlite

    folder = None if place.folder is None else str(place.folder)
    if place.kind == "postgresql":
        return open_postgresql(place.url, place.options, create=create, folder=folder)
    assert place.path is not None
    if place.note:
        print(place.note, file=sys.stderr)
    opened = open_sqlite(place.path, place.options, create=create, folder=folder)
    for used in {place.path.parent, place.folder or place.path.parent}:
        _ignore_in_git(used)
    return opened


def _ignore_in_git(folder: Path) -> None:
    """A `.tunewright` folder ignores itself, for as long as nobody decides otherwise."""
    mark = folder / ".gitignore"
    if folder.name == FOLDER and not mark.exists():
        with suppress(OSError):  # the store works all the same
            folder.mkdir(parents=True, exist_ok=True)
            mark.write_text("*\n", encoding="ascii")
