"""Where stores are, and what addresses mean."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tunewright.errors import InvalidInput
from tunewright.store import location
from tunewright.store.location import default_location, locate, network_file_system, without_password
from tunewright.store.opening import open_store

MOUNTS = location.mounts  # before the tests put others in its place


@pytest.fixture(autouse=True)
def _own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home of its own, a local disk everywhere, and a current folder that is no project."""
    monkeypatch.delenv("TUNEWRIGHT_STORE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(location, "mounts", lambda: [("/", "ext4")])
    monkeypatch.setattr(sys, "platform", "linux")
    (tmp_path / "home").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *marks: str) -> Path:
    """`a/b/c` as the current folder, with marks like `a/.git`."""
    (tmp_path / "a/b/c").mkdir(parents=True)
    for mark in marks:
        (tmp_path / mark).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a/b/c")
    return tmp_path


def on_network(monkeypatch: pytest.MonkeyPatch, *folders: Path, system: str = "nfs4") -> None:
    mounts = [("/", "ext4"), *((str(folder), system) for folder in folders)]
    monkeypatch.setattr(location, "mounts", lambda: mounts)


# --- the default ---


def test_a_folder_with_a_store_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_folder(tmp_path, monkeypatch, "a/.tunewright", "a/b/.git")
    assert default_location() == tmp_path / "a/.tunewright/store.db"


def test_then_the_nearest_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_folder(tmp_path, monkeypatch, "a/.git")
    assert default_location() == tmp_path / "a/.tunewright/store.db"
    (tmp_path / "a/b/pyproject.toml").touch()
    assert default_location() == tmp_path / "a/b/.tunewright/store.db"


def test_then_the_current_folder(tmp_path: Path) -> None:
    place = locate(None)
    assert place.path == default_location() == tmp_path / "here/.tunewright/store.db"
    assert (place.kind, place.folder, place.note) == ("sqlite", tmp_path / "here/.tunewright", "")


def test_an_environment_variable_comes_before_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNEWRIGHT_STORE", "sqlite:///other.db")
    assert locate(None).path == tmp_path / "here/other.db"
    assert locate("named.db").path == tmp_path / "here/named.db"
    monkeypatch.setenv("TUNEWRIGHT_STORE", "")
    assert locate(None).path == default_location()


# --- addresses ---


@pytest.mark.parametrize(
    ("address", "path", "options"),
    [
        ("store.db", "here/store.db", {}),
        (Path("sub/store.db"), "here/sub/store.db", {}),
        ("../store.db", "store.db", {}),
        ("~/store.db", "home/store.db", {}),
        ("a store?.db", "here/a store?.db", {}),
        ("sqlite:///store.db", "here/store.db", {}),
        ("sqlite:///a%20b.db?synchronous=FULL&timeout=5", "here/a b.db", {"synchronous": "FULL", "timeout": "5"}),
    ],
)
def test_a_file(tmp_path: Path, address: str | Path, path: str, options: dict[str, str]) -> None:
    place = locate(address)
    assert (place.kind, place.path, place.options) == ("sqlite", tmp_path / path, options)
    assert place.path is not None
    assert place.folder == place.path.parent


def test_an_absolute_file(tmp_path: Path) -> None:
    assert locate(f"sqlite:///{tmp_path}/x.db").path == tmp_path / "x.db"
    assert locate(tmp_path / "x.db").path == tmp_path / "x.db"


@pytest.mark.parametrize("address", ["memory", ":memory:", "sqlite://", "sqlite:///:memory:"])
def test_memory(address: str) -> None:
    place = locate(address)
    assert (place.kind, place.path, place.folder) == ("memory", None, None)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_a_server(tmp_path: Path, scheme: str) -> None:
    place = locate(f"{scheme}://me:secret@host:5/db")
    assert (place.kind, place.path, place.url) == ("postgresql", None, "postgresql://me:secret@host:5/db")
    assert place.folder == tmp_path / "here/.tunewright"


@pytest.mark.parametrize(
    "address", ["", "  ", "mysql://me:secret@host/db", "sqlite://x.db", "sqlite:///", "https://host", "a\0b"]
)
def test_an_address_that_means_nothing(address: str) -> None:
    with pytest.raises(InvalidInput, match="store must be a path") as caught:
        locate(address)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://me:secret@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me:se%40c@ret@host:5/db?a=b", "postgresql://me:***@host:5/db?a=b"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("postgresql://host/db?user=me&password=secret&x=1", "postgresql://host/db?user=me&password=***&x=1"),
        ("postgresql://host/a@b", "postgresql://host/a@b"),
        ("/plain/path@host", "/plain/path@host"),
    ],
)
def test_a_password_is_not_shown(address: str, shown: str) -> None:
    assert without_password(address) == shown


# --- network file systems ---


@pytest.mark.parametrize(
    "system",
    ["nfs", "nfs4", "cifs", "smb3", "9p", "lustre", "beegfs", "gpfs", "ceph", "fuse.sshfs", "fuse.ceph", "fuse.s3fs", "afpfs"],
)
def test_network_file_systems_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    on_network(monkeypatch, tmp_path / "mount", system=system)
    assert network_file_system(tmp_path / "mount") == system
    assert network_file_system(tmp_path / "mount/a/b.db") == system
    assert network_file_system(tmp_path / "mounted/b.db") is None


@pytest.mark.parametrize(
    "system", ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "apfs", "fuse.lxcfs", "fuseblk", "virtiofs"]
)
def test_local_file_systems_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    on_network(monkeypatch, tmp_path / "mount", system=system)
    assert network_file_system(tmp_path / "mount/b.db") is None


def test_the_innermost_and_latest_mount_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = [(str(tmp_path / "m/local"), "ext4"), (str(tmp_path / "m"), "ext4"), (str(tmp_path / "m"), "nfs"), ("/", "nfs")]
    monkeypatch.setattr(location, "mounts", lambda: mounts)
    assert network_file_system(tmp_path / "m/local/x.db") is None
    assert network_file_system(tmp_path / "m/x.db") == "nfs"


def test_links_are_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mount").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "mount")
    on_network(monkeypatch, tmp_path / "mount")
    assert network_file_system(tmp_path / "link/x.db") == "nfs4"


def test_a_named_file_on_a_network_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_network(monkeypatch, tmp_path / "here")
    with pytest.raises(InvalidInput, match=r"store must be on a local disk: .*nfs4.*PostgreSQL.*x\.db"):
        locate("x.db")


def test_the_default_moves_from_a_network_to_the_users_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on_network(monkeypatch, tmp_path / "here")
    place = locate(None)
    assert place.path is not None
    assert place.path.is_relative_to(tmp_path / "home/.local/state/tunewright")
    assert place.path.name == "store.db"
    assert place.folder == tmp_path / "here/.tunewright"
    assert "nfs4" in place.note
    assert str(place.path) in place.note
    assert "\n" not in place.note
    store = open_store(None)
    try:
        assert store.location == str(place.path)
        assert store.folder == str(place.folder)
        assert (tmp_path / "here/.tunewright/.gitignore").read_text() == "*\n"
        assert not (tmp_path / "here/.tunewright/store.db").exists()
        assert capsys.readouterr().err == f"{place.note}\n"
    finally:
        store.close()


def test_two_projects_on_a_network_have_two_stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_network(monkeypatch, tmp_path / "net")
    found = set()
    for name in ("net/a-b", "net/a/b"):
        (tmp_path / name / ".git").mkdir(parents=True)
        monkeypatch.chdir(tmp_path / name)
        found.add(locate(None).path)
    assert len(found) == 2


def test_a_home_on_a_network_is_no_place_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_network(monkeypatch, tmp_path)
    with pytest.raises(InvalidInput, match=r"store must be named: .*PostgreSQL.*TUNEWRIGHT_STORE"):
        locate(None)
    monkeypatch.setenv("XDG_STATE_HOME", "/var/state")
    assert str(locate(None).path).startswith("/var/state/tunewright/")


def test_this_machines_mounts_are_read() -> None:
    assert "/" in {mount for mount, _ in MOUNTS()}
