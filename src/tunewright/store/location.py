"""Where the store is when nobody says it, and what an address means."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

from tunewright.errors import InvalidInput

FOLDER, FILE = ".tunewright", "store.db"
ADDRESS = "TUNEWRIGHT_STORE"
SERVER_OPTIONS = ("timeout",)  # of an address of a server; what else stands there is libpq's
MEMORY = ("memory", ":memory:", "sqlite://", "sqlite:///:memory:")
_PROJECT = (".git", "pyproject.toml")
# Types of mounts that several hosts share, where SQLite's locks and shared memory don't hold; 9p is a host's disk in a guest.
_NETWORK = frozenset(
    "nfs nfs3 nfs4 cifs smb smb2 smb3 smbfs afpfs webdav ncpfs ncp afs coda 9p ceph ceph-fuse glusterfs lustre gpfs beegfs "
    "panfs orangefs pvfs2 ocfs2 gfs gfs2 davfs mmfs moosefs".split()
)
_NETWORK_IN_USER_SPACE = re.compile(
    r"(fuse|fuseblk|macfuse|osxfuse)\.(.*sshfs|.*nfs|.*gluster.*|.*ceph.*|.*davfs.*|.*smb.*|s3fs|gcsfuse|goofys|rclone|mfs)"
)


class Place(NamedTuple):
    """Where a store is.

    Attributes:
        kind: "memory", "sqlite" or "postgresql".
        path: of the database's file; None for others than SQLite.
        options: of the address.
        folder: takes the files of jobs; None in memory.
        note: a line for people, when the place isn't what they expect.
        url: of a server, with the password and without our own options.
    """

    kind: str
    path: Path | None
    options: Mapping[str, str]
    folder: Path | None
    note: str = ""
    url: str = ""


def default_location() -> Path:
    """The file of the store that is used when none is named, unless it would be on a network file system.

    It lies in the nearest parent folder that has a `.tunewright`, else beside the nearest `.git` or `pyproject.toml`, else in
    the current folder. The address in `$TUNEWRIGHT_STORE` comes before all of these; see `locate`.
    """
    here = Path.cwd()
    parents = [here, *here.parents]
    for parent in parents:
        if (parent / FOLDER).is_dir():
            return parent / FOLDER / FILE
    for parent in parents:
        if any((parent / mark).exists() for mark in _PROJECT):
            return parent / FOLDER / FILE
    return here / FOLDER / FILE


def locate(address: str | os.PathLike[str] | None) -> Place:
    """What an address means: a path, `sqlite:///path?options`, `postgresql://...`, or `memory`; None: the default.

    Raises:
        InvalidInput: it means nothing; or it is a file on a network file system.
    """
    if address is None:
        address = os.environ.get(ADDRESS) or None
    if address is None:
        return _default()
    text = os.fspath(address)
    if not isinstance(text, str) or not text.strip() or "\0" in text:
        raise InvalidInput("store", "must be a path or an address", text)
    if text in MEMORY:
        return Place("memory", None, {}, None)
    scheme, separator, rest = text.partition("://")
    if not separator or isinstance(address, os.PathLike):
        return _named(Path(text).expanduser(), {})
    if scheme in ("postgresql", "postgresql+psycopg", "postgres"):
        return _on_server(f"postgresql://{rest}")
    if scheme == "sqlite" and rest.startswith("/") and rest != "/":
        path, _, query = rest[1:].partition("?")
        return _named(Path(unquote(path)).expanduser(), dict(parse_qsl(query, keep_blank_values=True)))
    rule = "must be a path, sqlite:///path, postgresql://user@host/database, or 'memory'"
    raise InvalidInput("store", rule, without_password(text))


def without_password(address: str) -> str:
    """An address as it may be printed. Up to the last `@`, wherever that is, everything may be a part of the password."""
    scheme, separator, rest = address.partition("://")
    account, at, host = rest.rpartition("@")
    if separator and at:
        user, colon, _ = account.partition(":")
        rest = f"{user}{':***' if colon else ''}@{host}"
    return re.sub(r"(?i)([?&](?:password|sslpassword)=)[^&]*", r"\1***", f"{scheme}{separator}{rest}")


def _on_server(url: str) -> Place:
    before, _, query = url.partition("?")
    pairs = [pair for pair in query.split("&") if pair]
    own = {name: unquote(value) for name, _, value in (pair.partition("=") for pair in pairs) if name in SERVER_OPTIONS}
    rest = "&".join(pair for pair in pairs if pair.partition("=")[0] not in SERVER_OPTIONS)
    authority, _, after = before.partition("://")[2].partition("/")
    if authority.count("@") > 1 or "@" in after or "@" in query or "#" in url:
        rule = "must have the characters @ / ? # of a user or password written as %40 %2F %3F %23"
        raise InvalidInput("store", rule, without_password(url))
    return Place("postgresql", None, own, default_location().parent, url=f"{before}?{rest}" if rest else before)


def _named(path: Path, options: Mapping[str, str]) -> Place:
    path = absolute(path)
    system = network_file_system(path)
    if system is not None:
        rule = (
            f"must be on a local disk: this one is on a network file system ({system}), where SQLite loses data. Name a "
            "file on a local disk, or a PostgreSQL database"
        )
        raise InvalidInput("store", rule, str(path))
    return Place("sqlite", path, options, path.parent)


def _default() -> Place:
    path = absolute(default_location())
    system = network_file_system(path)
    if system is None:
        return Place("sqlite", path, {}, path.parent)
    project = path.parent.parent
    local = state_folder() / "tunewright" / project.relative_to(project.anchor) / FILE
    if (other := network_file_system(local)) is not None:
        rule = (
            f"must be named: this project is on a network file system ({system}), where SQLite loses data, and so is "
            f"{local.parent} ({other}). Name a file on a local disk, or a PostgreSQL database (store=..., --store, {ADDRESS})"
        )
        raise InvalidInput("store", rule)
    note = (
        f"{project} is on a network file system ({system}): its database is {local}; logs and checkpoints stay in {path.parent}"
    )
    return Place("sqlite", local, {}, path.parent, note)


def absolute(path: Path) -> Path:
    """The path from the root on, with `..` resolved, but links as they are."""
    return Path(os.path.abspath(path))  # noqa: PTH100  # Path.resolve follows links


def state_folder() -> Path:
    """Where the user's programs keep what should outlive them, on a local disk as a rule."""
    if named := os.environ.get("XDG_STATE_HOME"):
        return Path(named)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    return Path.home() / ".local" / "state"


def network_file_system(path: Path) -> str | None:
    """The type of the network file system that a path is on, or would be on; None for a local one."""
    real = os.path.realpath(path)
    best, kind = "", ""
    for mount, system in mounts():
        inside = real == mount or real.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):  # of two mounts on one folder the later one is seen
            best, kind = mount, system
    return kind if kind in _NETWORK or _NETWORK_IN_USER_SPACE.fullmatch(kind) else None


def mounts() -> list[tuple[str, str]]:
    """Mounted folders and the types of their file systems, in the order of mounting."""
    try:
        lines = Path("/proc/mounts").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        import psutil

        return [(part.mountpoint, part.fstype) for part in psutil.disk_partitions(all=True)]
    fields = (line.split(" ") for line in lines)
    return [(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), mount), system) for _, mount, system, *_ in fields]
