"""Folders kept whole under an address: `s3://bucket/prefix`, a path that hosts share, or whatever else fsspec reaches.

A folder goes to a key of its own, file by file, and last of all its manifest, an object beside it that names every file with
its size. Without a manifest there is nothing there, so an upload that was torn is never taken for a checkpoint; and what is
fetched is compared with it, and gets its name when it is whole.

    <root>/job.json                                         whose files these are
    <root>/trials/00007/checkpoints/step-3.1.5f0c2a/...     a checkpoint's files
    <root>/trials/00007/checkpoints/step-3.1.5f0c2a.json    its manifest
    <root>/trials/00007/artifacts/...                       what the trial left in its artifact folder
    <root>/trials/00007/artifacts.json                      its manifest
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from tunewright.errors import InvalidInput, StoreError

T = TypeVar("T")
_PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0)  # seconds between attempts
_EXTRAS = {"s3": "tunewright[s3]", "s3a": "tunewright[s3]"}


def is_address(path: str) -> bool:
    """Whether a checkpoint's path is one in a vault, and not a folder of this host."""
    return "://" in path


def check_root(root: object) -> str:
    """A root as it is kept: an address as it is, a path made absolute.

    Raises:
        InvalidInput: it is no text, an address that nothing can reach, or one with a password.
    """
    if isinstance(root, os.PathLike):
        root = os.fspath(root)
    if not isinstance(root, str) or not root.strip():
        raise InvalidInput("artifacts", "must be a path, or an address such as s3://bucket/prefix", root)
    if not is_address(root):
        return f"file://{Path(root).expanduser().absolute()}"
    scheme, _, rest = root.partition("://")
    account, at, _ = rest.partition("/")[0].rpartition("@")
    if at and ":" in account:
        rule = "must hold no password, for it is kept with the job; give it by the environment or a file of the service"
        raise InvalidInput("artifacts", rule, f"{scheme}://***")
    try:
        from fsspec import get_filesystem_class

        get_filesystem_class(scheme)
    except ImportError as error:
        rule = f"needs a package that is missing: pip install '{_EXTRAS[scheme]}'" if scheme in _EXTRAS else f"needs {error}"
        raise InvalidInput("artifacts", rule, root) from error
    except ValueError as error:
        raise InvalidInput("artifacts", f"must be an address that fsspec knows ({error})", root) from None
    return root.rstrip("/")


class Vault:
    """See the module. Safe to use from several threads. Whatever fails is tried again for some seconds.

    Args:
        root: as `check_root` gives it.
        pauses: seconds between attempts.

    Raises:
        StoreError: by every method, when the address can't be reached or refuses what is asked for.
    """

    def __init__(self, root: str, pauses: tuple[float, ...] = _PAUSES) -> None:
        from fsspec.core import url_to_fs

        self.root, self._pauses = root, pauses
        self._is_local = root.startswith("file://")
        options: dict[str, Any] = {"auto_mkdir": True} if self._is_local else {"use_listings_cache": False}
        if root.partition("://")[0] in _EXTRAS:
            options["config_kwargs"] = {"connect_timeout": 5, "retries": {"max_attempts": 1}}
        self._files, self._base = url_to_fs(root, skip_instance_cache=True, **options)
        if hasattr(self._files, "retries"):
            self._files.retries = 1  # trying again is this class's affair, and not for longer than is said here

    def describe(self, facts: Mapping[str, Any]) -> None:
        """Writes whose files these are; so, too, it shows whether the address can be written to."""
        self._patiently(lambda: self._write(f"{self._base}/job.json", facts), self.root)

    def put(self, folder: Path, key: str) -> str:
        """Keeps a folder under a key, whole or not at all, and gives its address. An earlier one of that key is replaced."""
        address = f"{self.root}/{key}"

        def attempt() -> None:
            place = self._place(address)
            for path in (f"{place}.json", place):
                if self._files.exists(path):
                    self._files.rm(path, recursive=path == place)
            names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
            sizes = {name: (folder / name).stat().st_size for name in names if (folder / name).is_file()}
            folders = [name for name in names if (folder / name).is_dir()]
            if sizes:
                self._files.put([str(folder / name) for name in sizes], [f"{place}/{name}" for name in sizes])
            self._write(f"{place}.json", {"files": sizes, "folders": folders})

        self._patiently(attempt, address)
        return address

    def put_new(self, folder: Path, key: str) -> str:
        """Keeps a folder under a key that begins so and that nobody else has."""
        return self.put(folder, f"{key}.{secrets.token_hex(3)}")

    def holds(self, address: str) -> bool:
        """Whether a folder is there, whole."""
        return self._patiently(lambda: self._manifest(address), address) is not None

    def fetch(self, address: str, target: Path) -> None:
        """Makes a copy of a folder at a path where nothing is, whole or not at all.

        Raises:
            StoreError: also when it isn't there, or differs from its manifest.
        """
        partial = target.with_name(f".{target.name}.{secrets.token_hex(3)}.partial")

        def attempt() -> None:
            manifest = self._manifest(address)
            if manifest is None:
                raise FileNotFoundError("it isn't there, or was never stored whole")
            shutil.rmtree(partial, ignore_errors=True)
            for name in ("", *manifest["folders"]):
                (partial / name).mkdir(parents=True, exist_ok=True)
            place, sizes = self._place(address), manifest["files"]
            if sizes:
                self._files.get([f"{place}/{name}" for name in sizes], [str(partial / name) for name in sizes])
            for name, size in sizes.items():
                found = (partial / name).stat().st_size
                if found != size:
                    raise OSError(f"{name} has {found} bytes in place of {size}")
            partial.replace(target)

        try:
            self._patiently(attempt, address)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def names(self, key: str) -> dict[str, int] | None:
        """The files of a folder and their sizes; None when it isn't there."""
        manifest = self._patiently(lambda: self._manifest(f"{self.root}/{key}"), key)
        return None if manifest is None else dict(manifest["files"])

    def keys(self, key: str) -> list[str]:
        """The keys of all objects whose keys begin with this one and a slash, manifests and files alike."""
        place = f"{self._base}/{key}"

        def attempt() -> list[str]:
            return [str(path).removeprefix(f"{self._base}/") for path in self._files.find(place)]

        return self._patiently(attempt, f"{self.root}/{key}")

    def remove(self, key: str = "") -> None:
        """Removes all whose keys begin with this one and a slash, manifests first; all there is, when it is empty."""
        place = f"{self._base}/{key}".rstrip("/")

        def attempt() -> None:
            if not self._files.exists(place):
                return
            found = [str(path) for path in self._files.find(place)]
            for path in sorted(found, key=lambda path: not path.endswith(".json")):
                self._files.rm_file(path)
            if self._is_local:
                shutil.rmtree(place, ignore_errors=True)  # the empty folders

        self._patiently(attempt, f"{self.root}/{key}")

    # --- how ---

    def _place(self, address: str) -> str:
        assert address.startswith(f"{self.root}/"), f"{address} isn't in {self.root}"
        return f"{self._base}{address.removeprefix(self.root)}"

    def _manifest(self, address: str) -> dict[str, Any] | None:
        """What a folder's manifest says; None when there is none, or when it isn't whole."""
        try:
            found = json.loads(self._files.cat_file(f"{self._place(address)}.json"))
        except (FileNotFoundError, ValueError):
            return None
        return found if isinstance(found, dict) and {"files", "folders"} <= found.keys() else None

    def _write(self, path: str, content: Mapping[str, Any]) -> None:
        """Writes an object whole: object storage does so by itself."""
        data = json.dumps(content).encode("ascii")
        if not self._is_local:
            self._files.pipe_file(path, data)
            return
        temporary = f"{path}.{secrets.token_hex(3)}.partial"
        self._files.pipe_file(temporary, data)
        Path(temporary).replace(path)

    def _patiently(self, attempt: Callable[[], T], what: str) -> T:
        for pause in (*self._pauses, None):
            try:
                return attempt()
            except FileNotFoundError as error:
                raise StoreError(f"artifacts at {what}: {_line(error)}") from error
            except Exception as error:  # whatever a file system's client raises
                if pause is None:
                    raise StoreError(f"artifacts at {what}: {_line(error)}") from error
            time.sleep(pause)
        raise AssertionError("unreachable")


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
