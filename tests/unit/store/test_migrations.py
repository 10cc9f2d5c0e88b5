"""An older SQLite store is copied beside itself and brought up to date when it is opened; once, whoever comes first."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from tunewright.errors import StoreVersion
from tunewright.queries import Jobs, Trials
from tunewright.records import Trial, TuningJob
from tunewright.store.sql.schema import SCHEMA_VERSION, VERSION_TABLE, metadata
from tunewright.store.sql.store import open_sqlite
from tunewright.store.sql.versions import MIGRATIONS, Versions

NEXT = """
from alembic import op
import sqlalchemy as sa

revision = "9000"
down_revision = {before!r}


def upgrade():
    op.add_column("runs", sa.Column("note", sa.Text(), nullable=False, server_default="from before"))
    with op.batch_alter_table("decisions") as table:
        table.alter_column("by", new_column_name="decided_by")
    {fault}
"""


def next_versions(folder: Path, fault: str = "pass") -> Versions:
    """What a later program knows: one version more."""
    shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions/v9000.py").write_text(NEXT.format(before=SCHEMA_VERSION, fault=fault))
    return Versions("9000", folder)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store of today's version with a job of three trials."""
    path = tmp_path / "store.db"
    with closing(open_sqlite(path)) as store:
        store.create(TuningJob("job", {"x": 1}))
        fence = store.claim("job", "me", 60.0)
        assert fence is not None
        store.commit([Trial(n, {"x": n}, n) for n in range(3)], fence)
    return path


def one(path: Path, sql: str) -> object:
    with closing(sqlite3.connect(path)) as connection:
        (value,) = connection.execute(sql).fetchone()
        return value


def test_an_older_store_is_brought_up_to_date(path: Path, tmp_path: Path) -> None:
    with closing(open_sqlite(path, versions=next_versions(tmp_path / "next"))) as store:
        assert [trial.number for trial in store.read(Trials("job"))] == [0, 1, 2]
        fence = store.claim("job", "you", 60.0, evict="me")
        assert fence is not None
        store.commit([Trial(3, {}, 3)], fence)
    assert one(path, "SELECT version_num FROM tunewright_version") == "9000"
    assert one(path, "SELECT group_concat(note) FROM runs") == ",".join(["from before"] * 4)
    assert one(path, "SELECT count(decided_by) FROM decisions") == 0


def test_a_copy_stays_beside_it(path: Path, tmp_path: Path) -> None:
    open_sqlite(path, versions=next_versions(tmp_path / "next")).close()
    copy = tmp_path / "store.db.v1.bak"
    assert {file.name for file in tmp_path.iterdir()} == {"store.db", copy.name, "next"}
    with closing(open_sqlite(copy)) as store:
        assert [trial.number for trial in store.read(Trials("job"))] == [0, 1, 2]


def test_an_earlier_copy_is_not_written_over(path: Path, tmp_path: Path) -> None:
    (tmp_path / "store.db.v1.bak").write_text("precious")
    open_sqlite(path, versions=next_versions(tmp_path / "next")).close()
    assert (tmp_path / "store.db.v1.bak").read_text() == "precious"
    assert one(tmp_path / "store.db.v1-2.bak", "SELECT count(*) FROM runs") == 3


def test_what_others_have_just_written_is_in_the_copy(path: Path, tmp_path: Path) -> None:
    """Not all of a store is in its file while somebody has it open: the rest is in its log."""
    with closing(open_sqlite(path)) as store:
        store.create(TuningJob("another", {}))
        open_sqlite(path, versions=next_versions(tmp_path / "next")).close()
    with closing(open_sqlite(tmp_path / "store.db.v1.bak")) as copy:
        assert [job.name for job in copy.read(Jobs())] == ["another", "job"]


def test_today_opens_without_alembic_or_a_copy(path: Path, tmp_path: Path) -> None:
    script = "import sys; from pathlib import Path; from tunewright.store.sql.store import open_sqlite\n"
    script += f"open_sqlite(Path({str(path)!r})).close(); print('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "False\n"
    assert [file.name for file in tmp_path.iterdir()] == ["store.db"]


@pytest.mark.parametrize("fault", ["raise ValueError('a mistake')", "op.execute('nonsense')", "import not_there"])
def test_a_failed_migration_changes_nothing(path: Path, tmp_path: Path, fault: str) -> None:
    with pytest.raises(
        StoreVersion, match=r"(?s)\(version 0001\) could not be brought to version 9000: .*copy of it is .*v1\.bak"
    ):
        open_sqlite(path, versions=next_versions(tmp_path / "next", fault))
    assert (tmp_path / "store.db.v1.bak").exists()
    assert one(path, "SELECT version_num FROM tunewright_version") == "0001"
    assert one(path, "SELECT count(*) FROM pragma_table_info('runs') WHERE name = 'note'") == 0
    with closing(open_sqlite(path)) as store:
        assert [trial.number for trial in store.read(Trials("job"))] == [0, 1, 2]


def test_without_a_copy_nothing_is_changed(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = sqlite3.connect

    def refusing(database: Any, **options: Any) -> sqlite3.Connection:
        if str(database).endswith(".part"):
            raise sqlite3.OperationalError("unable to open database file")
        opened: sqlite3.Connection = connect(database, **options)
        return opened

    monkeypatch.setattr(sqlite3, "connect", refusing)
    with pytest.raises(StoreVersion, match="couldn't be copied beside it first: unable to open"):
        open_sqlite(path, versions=next_versions(tmp_path / "next"))
    assert one(path, "SELECT version_num FROM tunewright_version") == "0001"


OPEN = """
import sys
from pathlib import Path
from tunewright.queries import Trials
from tunewright.store.sql.store import open_sqlite
from tunewright.store.sql.versions import Versions
sys.stdin.read(1)
store = open_sqlite(Path(sys.argv[1]), versions=Versions("9000", Path(sys.argv[2])))
print(len([*store.read(Trials("job"))]))
"""


@pytest.mark.slow
def test_of_many_at_once_one_migrates(path: Path, tmp_path: Path) -> None:
    folder = next_versions(tmp_path / "next", "import time; time.sleep(0.3)").folder
    command = [sys.executable, "-c", OPEN, str(path), str(folder)]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(4)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("g")
        process.stdin.flush()
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert (out, err) == ("3\n", "")
    assert sorted(file.name for file in tmp_path.glob("*.bak")) == ["store.db.v1.bak"]
    assert one(path, "SELECT version_num FROM tunewright_version") == "9000"


def test_the_tables_are_those_of_their_version(path: Path) -> None:
    """A change of a table needs a revision and a new version; a new version gets a file with its tables here."""
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").fetchall()
    tables = "".join(f"{' '.join(sql.split())};\n" for (sql,) in found)
    assert tables == (Path(__file__).parent / f"schema-{SCHEMA_VERSION}.sql").read_text()


@pytest.mark.parametrize("dump", sorted(Path(__file__).parent.glob("schema-*.sql")), ids=lambda dump: dump.stem)
def test_every_earlier_version_leads_to_todays_tables(tmp_path: Path, dump: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    path, version = tmp_path / "store.db", dump.stem.removeprefix("schema-")
    with closing(sqlite3.connect(path)) as connection:
        statements = dump.read_text().replace("CREATE TABLE sqlite_sequence(name,seq);\n", "")
        connection.executescript(statements)
        connection.execute("INSERT INTO tunewright_version VALUES (?)", (version,))
        connection.commit()
    open_sqlite(path).close()
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as checked:
        context = MigrationContext.configure(checked, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []
    engine.dispose()
