"""The leases of a host: a folder that all its users share, with a file for each.

A lease is a file with a lock (flock(2)) that its holder keeps; the kernel takes the lock away when the last process that
holds the file open is gone, whatever ended it. So a file without a lock is nobody's, and is removed by whoever may. The lock
belongs to the open file, not to a process: a process that inherits the descriptor keeps the lease for as long as it lives.

Files are written whole under another name, locked, then renamed: they appear with their lock, and never change. They can be
read by everybody and written by their owner only. What they say of others is text for people, taken with care.
"""

from __future__ import annotations

import errno
import json
import math
import os
import secrets
import stat
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tunewright.errors import InvalidInput

VARIABLE = "TUNEWRIGHT_SLOTS"
_DEFAULT = "/tmp/tunewright-slots"  # one for the host: TMPDIR may differ between users
_LONGEST = 65_536  # bytes of a file that are read
_ABANDONED = 60.0  # seconds after which a file that was never renamed is removed
_FRESH = 3.0  # seconds; who waits says so more often
_MOST = 1e6  # GPUs that anybody may wait for
_WORDS = 80  # characters of a name that are shown


@dataclass(frozen=True, slots=True)
class Entry:
    """A living lease, or the word of somebody who waits for one.

    Attributes:
        name: the file's.
        waits: whether it is no lease but a wish.
        gpus: the shares that it holds, by the GPU's id.
        cores: those that it holds.
        need: how many GPUs it waits for, or a share of one; `among` which.
        since: when it was made, seconds since the epoch.
        job, trial, pid, uid: who made it. The last is the file's owner, the others are what it says.
        fresh: whether who waits has said so lately.
    """

    name: str
    waits: bool
    gpus: Mapping[str, float] = field(default_factory=dict)
    cores: tuple[int, ...] = ()
    need: float = 0.0
    among: tuple[str, ...] = ()
    since: float = 0.0
    job: str = ""
    trial: int = -1
    pid: int = 0
    uid: int = 0
    fresh: bool = True


class Published:
    """A file of this process.

    Attributes:
        descriptor: the open file; a process that inherits it holds the lease, too.
    """

    def __init__(self, path: str, descriptor: int) -> None:
        self._path, self.descriptor = path, descriptor
        self.name = os.path.basename(path)  # noqa: PTH119

    def touch(self) -> None:
        """Says that it is still wanted; also keeps those away who clean up temporary folders by age."""
        with suppress(OSError):
            os.utime(self.descriptor)

    def withdraw(self) -> None:
        """Ends the lease for everybody who holds it. Idempotent."""
        if self.descriptor >= 0:
            import fcntl

            with suppress(OSError):
                os.unlink(self._path)  # noqa: PTH108
            with suppress(OSError):
                fcntl.flock(self.descriptor, fcntl.LOCK_UN)
            self.let_go()

    def let_go(self) -> None:
        """Closes the file: others who hold it open keep the lease. Idempotent."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class Registry:
    """The folder of leases.

    Args:
        folder: where it is; $TUNEWRIGHT_SLOTS by default, else /tmp/tunewright-slots. It is made if it isn't there.

    Raises:
        InvalidInput: it is no folder, or this user may not write to it.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = os.path.abspath(folder or os.environ.get(VARIABLE) or _DEFAULT)  # noqa: PTH100
        self._known: dict[str, Entry] = {}
        try:
            self._make()
        except OSError as error:
            raise InvalidInput(VARIABLE, f"must be a folder that can be made ({error.strerror})", self.folder) from error
        if not stat.S_ISDIR(os.lstat(self.folder).st_mode):
            raise InvalidInput(VARIABLE, "must be a folder, and no link to one", self.folder)
        if not self._writable():
            rule = f"must be a folder that everybody may write to (as its owner: chmod 1777 {self.folder})"
            raise InvalidInput(VARIABLE, rule, self.folder)

    def publish(self, entry: Mapping[str, Any], *, waits: bool = False) -> Published:
        """Adds a file, with its lock.

        Args:
            entry: fields of `Entry`, as far as they say something.

        Raises:
            OSError: it can't be written, or the file system has no locks.
        """
        import fcntl

        name = f"{'wait' if waits else 'lease'}-{os.getpid()}-{secrets.token_hex(8)}"
        temporary, path = f"{self.folder}/.{name}", f"{self.folder}/{name}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(temporary, flags, 0o644)
        except FileNotFoundError:  # it was cleaned away while it was empty
            self._make()
            descriptor = os.open(temporary, flags, 0o644)
        try:
            os.fchmod(descriptor, 0o644)  # whatever the umask is: others must see it
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(descriptor, json.dumps({"since": time.time(), "pid": os.getpid(), **entry}).encode("ascii"))
            os.rename(temporary, path)  # noqa: PTH104
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)  # noqa: PTH108
            os.close(descriptor)
            raise
        return Published(path, descriptor)

    def living(self) -> list[Entry]:
        """All leases that somebody holds, and all who wait. Files that nobody holds are removed."""
        try:
            names = os.listdir(self.folder)  # noqa: PTH208
        except FileNotFoundError:
            names = []
        found = []
        for name in names:
            if name.startswith((".lease-", ".wait-")):
                self._sweep(f"{self.folder}/{name}")
            elif name.startswith(("lease-", "wait-")) and (entry := self._look(name)) is not None:
                found.append(entry)
        self._known = {entry.name: entry for entry in found}
        return found

    def _make(self) -> None:
        with suppress(FileExistsError):
            os.mkdir(self.folder, 0o700)  # noqa: PTH102
            os.chmod(self.folder, 0o1777)  # noqa: PTH101  # all may add files, and remove their own ones

    def _writable(self) -> bool:
        """Whether this user may add files; asked twice, for another one may be making the folder at this moment."""
        if os.access(self.folder, os.R_OK | os.W_OK | os.X_OK):
            return True
        time.sleep(0.1)
        return os.access(self.folder, os.R_OK | os.W_OK | os.X_OK)

    def _look(self, name: str) -> Entry | None:
        """What a file says; None when nobody holds it."""
        import fcntl

        path = f"{self.folder}/{name}"
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                return None
            entry = self._known.get(name)
            if entry is None or entry.waits:
                status = os.fstat(descriptor)
                fresh = time.time() - status.st_mtime < _FRESH
                entry = _parsed(name, os.read(descriptor, _LONGEST), status.st_uid, fresh)
            return entry
        else:
            with suppress(OSError):  # another user's
                os.unlink(path)  # noqa: PTH108
            return None
        finally:
            os.close(descriptor)

    def _sweep(self, path: str) -> None:
        """Removes a file whose maker was killed before it was renamed."""
        with suppress(OSError):
            if time.time() - os.lstat(path).st_mtime > _ABANDONED:
                os.unlink(path)  # noqa: PTH108


def _parsed(name: str, content: bytes, uid: int, fresh: bool) -> Entry | None:
    """A file's content, of which nothing is believed that makes no sense; None when it can't be read at all."""
    try:
        said = json.loads(content)
        gpus = {str(gpu): float(share) for gpu, share in said.get("gpus", {}).items()}
        need, since, waits, pid = float(said.get("need", 0.0)), float(said["since"]), name.startswith("wait-"), int(said["pid"])
        if not all(0 < share <= 1 for share in gpus.values()) or not math.isfinite(since) or pid < 1:
            return None
        if waits and not 0 < need <= _MOST:
            return None
        return Entry(
            name,
            waits,
            gpus,
            tuple(int(core) for core in said.get("cores", ())),
            need,
            tuple(str(gpu) for gpu in said.get("among", ())),
            since,
            "".join(sign if sign.isprintable() else "?" for sign in str(said.get("job", "")))[:_WORDS],
            int(said.get("trial", -1)),
            pid,
            uid,
            fresh,
        )
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return None
