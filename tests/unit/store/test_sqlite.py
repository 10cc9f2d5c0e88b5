"""SQLite files that can't be used as they are: each is refused with what to do, and left alone."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tunewright.errors import InvalidInput, StoreBusy, StoreDamaged, StoreError, StoreFull, StoreVersion
from tunewright.queries import Jobs, Trials
from tunewright.records import Command, Trial, TuningJob
from tunewright.store.memory import MemoryStore
from tunewright.store.opening import open_store
from tunewright.store.sql.sqlite import SqliteDialect
from tunewright.store.sql.store import SqlStore, open_sqlite


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def fill(path: Path, trials: int = 0) -> None:
    """A store with one job in a file."""
    with closing(open_sqlite(path)) as store:
        store.create(TuningJob("job", {"x": 1}))
        fence = store.claim("job", "me", 60.0)
        assert fence is not None
        store.commit([Trial(n, {"x": "long " * 50}, n) for n in range(trials)], fence)


def use(path: Path) -> None:
    """Opens and reads what `fill` wrote."""
    with closing(open_sqlite(path)) as store:
        assert [job.name for job in store.read(Jobs())] == ["job"]
        assert len([*store.read(Trials("job"))]) == 500


def contents(path: Path) -> dict[str, bytes]:
    """All files beside a store, but for the empty ones that SQLite makes to read."""
    return {file.name: file.read_bytes() for file in path.parent.iterdir() if file.is_file() and not file.name.endswith("-shm")}


# --- what opens ---


def test_a_store_outlives_its_closing(path: Path) -> None:
    fill(path, 3)
    assert [file.name for file in path.parent.iterdir()] == ["store.db"], "the last to close leaves one file"
    with closing(open_sqlite(path)) as store:
        assert [trial.number for trial in store.read(Trials("job"))] == [0, 1, 2]


def test_folders_are_made(tmp_path: Path) -> None:
    open_sqlite(tmp_path / "a/b/store.db").close()
    assert (tmp_path / "a/b/store.db").is_file()


def test_an_empty_file_becomes_a_store(path: Path) -> None:
    path.touch()
    open_sqlite(path).close()
    fill(path)


def test_a_forgotten_store_closes_by_itself(path: Path) -> None:
    store = open_sqlite(path)
    store.create(TuningJob("job", {}))
    del store
    assert [file.name for file in path.parent.iterdir()] == ["store.db"]


@pytest.mark.parametrize(("options", "level"), [({}, 1), ({"synchronous": "full"}, 2), ({"synchronous": "EXTRA"}, 3)])
def test_what_is_promised_is_set(path: Path, options: dict[str, str], level: int) -> None:
    engine = SqliteDialect(path, options).engine()
    with closing(engine.raw_connection()) as connection:
        cursor = connection.cursor()
        assert cursor.execute("PRAGMA synchronous").fetchall() == [(level,)]
    engine.dispose()
    with closing(open_sqlite(path, options)), closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA journal_mode").fetchall() == [("wal",)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"synchronous": "OFF"}, "store option synchronous must be one of NORMAL, FULL, EXTRA; got 'OFF'"),
        ({"timeout": "soon"}, "store option timeout must be a number of seconds; got 'soon'"),
        ({"timeout": "-1"}, "store option timeout must be a number of seconds; got '-1'"),
        ({"sync": "FULL"}, "store option must be known .*'sync'"),
    ],
)
def test_options_are_checked(path: Path, options: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        open_sqlite(path, options)
    assert not path.exists()


def test_opening_by_address(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(open_store(f"sqlite:///{path}?synchronous=FULL")) as store:
        assert isinstance(store, SqlStore)
        assert (store.location, store.folder) == (str(path), str(path.parent))
        assert open_store(store) is store
    assert isinstance(open_store("memory"), MemoryStore)
    monkeypatch.setenv("TUNEWRIGHT_STORE", "memory")
    assert isinstance(open_store(), MemoryStore)
    with pytest.raises(InvalidInput, match="store must be a path, an address or a Store; got 5"):
        open_store(5)  # type: ignore[arg-type]


def test_the_default_folder_ignores_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TUNEWRIGHT_STORE", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").touch()
    open_store().close()
    assert (tmp_path / ".tunewright/.gitignore").read_text() == "*\n"
    (tmp_path / ".tunewright/.gitignore").write_text("mine\n")
    open_store().close()
    assert (tmp_path / ".tunewright/.gitignore").read_text() == "mine\n"
    open_store("other/store.db").close()
    assert [file.name for file in (tmp_path / "other").iterdir()] == ["store.db"]


# --- what doesn't ---


def test_a_missing_file_is_not_made_unless_asked_to(path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"store must exist; got .*store\.db"):
        open_sqlite(path, create=False)
    assert not path.exists()
    path.touch()
    with pytest.raises(StoreDamaged, match="holds no tables"):
        open_sqlite(path, create=False)
    assert path.stat().st_size == 0


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"store must be a file, not a folder; .*store\.db' would be one; got "):
        open_sqlite(tmp_path)
    assert not [*tmp_path.iterdir()]


def test_a_folder_that_can_not_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="can't be made"):
        open_sqlite(tmp_path / "file/store.db")


@pytest.mark.parametrize("content", [b"not a database\n", b"\0" * 4096, b"SQLite format 2\0" * 10])
def test_a_file_of_something_else(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(StoreDamaged, match=r"store\.db is damaged or no Tunewright store: .*left as it is.*copy.*another file"):
        open_sqlite(path)
    assert contents(path) == {"store.db": content}


def test_a_database_of_something_else(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE songs (title)")
        other.execute("INSERT INTO songs VALUES ('one')")
        other.commit()
    before = contents(path)
    with pytest.raises(StoreDamaged, match=r"no Tunewright store: .*songs.*another"):
        open_sqlite(path)
    assert contents(path) == before


@pytest.mark.parametrize("version", ["9999", "0002"])
def test_a_newer_version(path: Path, version: str) -> None:
    fill(path)
    with closing(sqlite3.connect(path)) as other:
        other.execute("UPDATE tunewright_version SET version_num = ?", (version,))
        other.commit()
    before = contents(path)
    with pytest.raises(StoreVersion, match=rf"newer Tunewright: .*{version}.*up to 0001.*upgrade Tunewright"):
        open_sqlite(path)
    assert contents(path) == before


def test_a_version_that_can_not_be_read(path: Path) -> None:
    fill(path)
    with closing(sqlite3.connect(path)) as other:
        other.execute("DELETE FROM tunewright_version")
        other.commit()
    with pytest.raises(StoreDamaged, match="version"):
        open_sqlite(path)


def test_pages_that_were_overwritten(path: Path) -> None:
    fill(path, 500)
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + os.urandom(len(whole) - 8192))
    before = contents(path)
    with pytest.raises(StoreDamaged, match=r"damaged.*left as it is"):
        use(path)
    assert contents(path)["store.db"] == before["store.db"]


def test_a_file_that_was_cut_off(path: Path) -> None:
    fill(path, 500)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 3])
    with pytest.raises(StoreDamaged, match=r"damaged.*left as it is"):
        use(path)


READ_ONLY = """
import os, sys
from pathlib import Path
from tunewright.errors import StoreError
from tunewright.store.sql.store import open_sqlite
open_sqlite(Path(sys.argv[1]).with_name("other.db")).close()  # so that everything is imported
for path, mode in zip(sys.argv[1::2], sys.argv[2::2]):
    os.chmod(path, int(mode, 8))
if os.geteuid() == 0:
    os.setuid(65534)
try:
    open_sqlite(Path(sys.argv[1]))
except StoreError as error:
    print(type(error).__name__, error)
else:
    print("opened")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "folder", "outcome"),
    [("444", "777", "StoreError"), ("666", "555", "StoreError"), ("000", "777", "StoreError"), ("666", "777", "opened")],
)
def test_a_file_that_must_not_be_written(path: Path, file: str, folder: str, outcome: str) -> None:
    """As another user where this one is root, who may write everything."""
    fill(path)
    for parent in path.parents:
        if parent.name.startswith("pytest-"):
            parent.chmod(parent.stat().st_mode | 0o011)
    command = [sys.executable, "-c", READ_ONLY, str(path), file, str(path.parent), folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    path.parent.chmod(0o755)
    assert done.stdout.startswith(outcome), done.stdout + done.stderr
    if outcome == "StoreError":
        assert "store.db is read-only" in done.stdout or "can't be read" in done.stdout


def test_a_file_that_becomes_read_only(path: Path) -> None:
    """What SQLite says when a write is refused later, for instance by the file system."""
    error = sqlite3.OperationalError("attempt to write a readonly database")
    error.sqlite_errorcode = sqlite3.SQLITE_READONLY
    assert "is read-only" in str(SqliteDialect(path).explain(error))


# --- while it is used ---


def test_a_lock_that_lasts_is_an_error_that_names_it(path: Path) -> None:
    fill(path)
    with closing(open_sqlite(path, {"timeout": "0.3"})) as store, closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy, match=r"store\.db was kept locked for 0\.3 s"):
            store.request("job", Command("stop"))
        assert [job.name for job in store.read(Jobs())] == ["job"], "reading goes on"
        other.rollback()
        store.request("job", Command("stop"))


LOCKING = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
def test_the_process_that_keeps_a_lock_is_named(path: Path) -> None:
    fill(path)
    command = [sys.executable, "-c", LOCKING, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        other.stdout.readline()
        with (
            closing(open_sqlite(path, {"timeout": "0.1"})) as store,
            pytest.raises(StoreBusy, match=rf"open in .*\({other.pid}\)"),
        ):
            store.request("job", Command("stop"))
        other.stdin.close()


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None or sys.platform != "linux":
        pytest.skip("no file system can be mounted here")
    command = [mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("no file system may be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def check_fullness(store: SqlStore) -> int:
    """Writes until nothing goes any more; all that was accepted is there, and stays. Returns how many trials."""
    store.create(TuningJob("job", {}))
    fence = store.claim("job", "me", 60.0)
    assert fence is not None
    written = 0

    def write() -> None:
        nonlocal written
        while written < 100_000:
            store.commit([Trial(written, {"x": "long " * 200}, 0)], fence)
            written += 1

    with pytest.raises(StoreFull, match="no space left on the device that holds"):
        write()
    assert [trial.number for trial in store.read(Trials("job"))] == [*range(written)]
    store.release(fence)  # the lease ends by itself
    assert [trial.number for trial in store.read(Trials("job"))] == [*range(written)]
    return written


def test_a_full_disk(tiny_disk: Path) -> None:
    with closing(open_sqlite(tiny_disk / "store.db")) as store:
        written = check_fullness(store)
    with closing(open_sqlite(tiny_disk / "store.db")) as store:
        assert len([*store.read(Trials("job"))]) == written
    subprocess.run(["mount", "-o", "remount,size=4m", str(tiny_disk)], check=True)
    with closing(open_sqlite(tiny_disk / "store.db")) as store:
        fence = store.claim("job", "me", 60.0, evict="me")
        assert fence is not None
        store.commit([Trial(written, {}, 0)], fence)
        assert len([*store.read(Trials("job"))]) == written + 1


def test_no_store_fits_on_a_full_disk(tiny_disk: Path) -> None:
    with suppress(OSError):
        (tiny_disk / "filler").write_bytes(bytes(2 << 20))
    with pytest.raises(StoreFull):
        open_sqlite(tiny_disk / "sub/store.db")


def test_a_database_at_its_largest(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no small disk can be mounted, SQLite itself draws the line."""
    connect = SqliteDialect._connect

    def small(dialect: SqliteDialect) -> sqlite3.Connection:
        connection = connect(dialect)
        connection.execute("PRAGMA max_page_count=200")
        return connection

    monkeypatch.setattr(SqliteDialect, "_connect", small)
    with closing(open_sqlite(path)) as store:
        written = check_fullness(store)
    monkeypatch.undo()
    with closing(open_sqlite(path)) as store:
        fence = store.claim("job", "me", 60.0, evict="me")
        if fence is None:
            fence = store.claim("job", "me", 60.0)
        assert fence is not None
        store.commit([Trial(written, {}, 0)], fence)
