"""Upgrades by hand, and programs of several versions on one database."""

from __future__ import annotations

import itertools
import shutil
from contextlib import closing
from pathlib import Path

import pytest

import tunewright as tw
from tests.postgres_server import PASSWORD, Server
from tunewright.errors import InvalidInput, StoreDamaged, StoreVersion
from tunewright.interfaces import Store
from tunewright.queries import Jobs, Points, Trials
from tunewright.records import Report, Reports
from tunewright.store import upgrade_store
from tunewright.store.opening import open_store
from tunewright.store.sql.store import open_postgresql, open_sqlite
from tunewright.store.sql.versions import MIGRATIONS, Versions, parts
from tunewright.testing.store_examples import a_job, a_trial, an_execution, claimed

REVISION = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = {version!r}, {before!r}


def upgrade():
    {work}
"""
ADDS = """
    op.add_column("runs", sa.Column("note", sa.Text()))
    op.add_column("jobs", sa.Column("priority", sa.BigInteger(), nullable=False, server_default="7"))
    op.create_table("labels", sa.Column("job_id", sa.BigInteger(), primary_key=True), sa.Column("label", sa.Text()))
    op.create_index("ix_runs_note", "runs", ["note"])
"""
CHANGES = """
    with op.batch_alter_table("decisions") as table:
        table.alter_column("reason", new_column_name="why")
"""

pytestmark = pytest.mark.slow


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store of today's version with a job."""
    found = f"sqlite:///{tmp_path}/store.db" if request.param == "sqlite" else request.getfixturevalue("postgresql")
    assert isinstance(found, str)
    with closing(open_store(found)) as store:
        store.create(a_job())
    return found


def later(folder: Path, version: str, work: str = ADDS) -> Versions:
    """What a later program knows: one version more than today's."""
    shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    before = Versions().newest
    (folder / "versions/later.py").write_text(REVISION.format(version=version, before=before, work=work.strip()))
    return Versions(version, folder)


def minor_of_today() -> str:
    major, minor = parts(Versions().newest)
    return f"{major:04d}.{minor + 1}"


def open_as(address: str, versions: Versions) -> Store:
    """Opens a store as a program of other versions does."""
    if address.startswith("sqlite"):
        return open_sqlite(Path(address.removeprefix("sqlite:///")), versions=versions)
    return open_postgresql(address, versions=versions)


def is_server(address: str) -> bool:
    return address.startswith("postgresql")


# --- by hand ---


def test_what_is_up_to_date_needs_nothing(address: str) -> None:
    found = upgrade_store(address)
    assert (found.found, found.newest, found.statements, found.done) == (Versions().newest, Versions().newest, (), False)
    assert PASSWORD not in str(found)


def test_a_dry_run_tells_what_would_be_done_and_does_nothing(address: str, tmp_path: Path) -> None:
    versions = later(tmp_path / "later", minor_of_today())
    for _ in range(2):
        found = upgrade_store(address, dry_run=True, versions=versions)
        assert (found.found, found.newest, found.done, found.copy) == (Versions().newest, minor_of_today(), False, None)
        assert found.statements[0].startswith("ALTER TABLE runs ADD COLUMN note")
        assert any("CREATE TABLE labels" in statement for statement in found.statements)
        assert not any(statement.startswith("SELECT") for statement in found.statements)
    assert not [*tmp_path.glob("*.bak")]


def test_an_upgrade_is_carried_out_and_keeps_everything(address: str, tmp_path: Path) -> None:
    versions = later(tmp_path / "later", minor_of_today())
    planned = upgrade_store(address, dry_run=True, versions=versions)
    done = upgrade_store(address, versions=versions)
    assert (done.done, done.statements) == (True, planned.statements)
    assert (done.copy is None) is is_server(address)
    assert upgrade_store(address, versions=versions).statements == ()
    with closing(open_as(address, versions)) as store:
        assert [job.name for job in store.read(Jobs())] == ["job"]


def test_one_that_fails_leaves_the_store_as_it_was(address: str, tmp_path: Path) -> None:
    versions = later(tmp_path / "later", "9000", f"{ADDS}    op.execute('nonsense')")
    for dry_run in (True, False):
        with pytest.raises(StoreVersion, match=r"could not be brought to version 9000: (?s:.*)nonsense(?s:.*) left as it was"):
            upgrade_store(address, dry_run=dry_run, versions=versions)
    assert upgrade_store(address).statements == ()
    good = later(tmp_path / "good", minor_of_today())
    assert upgrade_store(address, versions=good).done, "nothing of the failed one is in the way"


def test_a_store_of_a_newer_program_is_refused(address: str, tmp_path: Path) -> None:
    upgrade_store(address, versions=later(tmp_path / "later", "9000", CHANGES))
    for attempt in (lambda: open_store(address), lambda: upgrade_store(address)):
        with pytest.raises(StoreVersion, match=r"written by a newer Tunewright: its version is 9000.*left as it is"):
            attempt()


def test_what_is_no_store_is_not_upgraded(tmp_path: Path, postgresql_server: Server) -> None:
    with pytest.raises(InvalidInput, match="must be a file or a database"):
        upgrade_store("memory")
    with pytest.raises(InvalidInput, match="must exist"):
        upgrade_store(tmp_path / "nothing.db")
    with pytest.raises(StoreDamaged, match="holds no tables of Tunewright"):
        upgrade_store(postgresql_server.database())


# --- several versions at once ---


@pytest.mark.parametrize("version", [minor_of_today(), "9000"])
def test_a_database_of_a_team_is_never_upgraded_by_opening_it(postgresql: str, tmp_path: Path, version: str) -> None:
    open_store(postgresql).close()
    versions = later(tmp_path / "later", version)
    with pytest.raises(StoreVersion, match=rf"is of version .* needs {version}\. .*tunewright store upgrade --dry-run"):
        open_postgresql(postgresql, versions=versions)
    assert upgrade_store(postgresql).found == Versions().newest


def test_a_program_of_an_earlier_minor_version_goes_on_working(address: str, tmp_path: Path) -> None:
    """The earlier program is today's: its store was open during the upgrade, and it opens the upgraded one."""
    with closing(open_store(address)) as old:
        fence = claimed(old)
        old.commit([a_trial(0), an_execution(0)], fence)
        versions = later(tmp_path / "later", minor_of_today())
        upgrade_store(address, versions=versions)
        old.commit([a_trial(1), an_execution(1), Reports(0, 1, 0, [Report(1, {"loss": 0.5}, 1.0)])], fence)
        with closing(open_as(address, versions)) as new, closing(open_store(address)) as opened_later:
            for store in (old, new, opened_later):
                assert [trial.number for trial in store.read(Trials("job"))] == [0, 1]
                assert [point.value for point in store.read(Points("job"))] == [0.5]
        old.release(fence)
    job = tw.tune(
        lambda trial: float(trial.params["x"]), {"x": tw.Float(0.0, 1.0)}, metric="loss", max_trials=3, store=address,
        executor="inline", progress="none", name="whole", seed=0,
    )  # fmt: skip
    assert job.status is tw.Status.COMPLETED
    with closing(open_as(address, versions)) as store:
        assert [one.name for one in store.read(Jobs())] == ["whole", "job"]


def test_versions_are_ordered() -> None:
    ordered = ["0001", "0001.1", "0001.2", "0001.10", "0002", "0010"]
    assert all(parts(before) < parts(after) for before, after in itertools.pairwise(ordered))
