"""The tables. One schema for SQLite and PostgreSQL; times are seconds since the epoch.

- What changes with every commit of a controller is kept in small rows: a job's specification has a table of its own,
  because an update writes its whole row anew.
- A NULL where a point or a series has a value is a NaN: SQLite turns NaN into NULL. Columns marked "as JSON" hold
  text of the json module, in which NaN and the infinities are spelled `NaN`, `Infinity` and `-Infinity`.
- Which trials changed after an event is told by the events themselves, whose key is job and number. So the rows that every
  commit writes (jobs, runs, executions, events) need no index but their keys: each further one is a page more to write.
- Points are clustered by series, execution and position: a curve is one range, and no position is stored twice.

A change of a table is a new revision in `migrations/versions`, and a new `SCHEMA_VERSION`.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

SCHEMA_VERSION = "0001"
VERSION_TABLE = "tunewright_version"

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite gives numbers by itself only to a column whose type is spelled INTEGER.
Id = BigInteger().with_variant(Integer(), "sqlite")

jobs = Table(
    "jobs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("namespace", String, nullable=False),
    Column("name", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("wanted", String, nullable=False),
    Column("folder", Text),
    Column("created", Double, nullable=False),
    # who controls it
    Column("owner", Text),
    Column("fence", BigInteger, nullable=False),
    Column("lease_until", Double),
    Column("event", BigInteger, nullable=False),
    # what its controller says of it
    Column("status", String, nullable=False),
    Column("reason_code", String),
    Column("reason", Text),
    Column("pending", BigInteger, nullable=False),
    Column("in_progress", BigInteger, nullable=False),
    Column("paused", BigInteger, nullable=False),
    Column("stopping", BigInteger, nullable=False),
    Column("completed", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("stopped", BigInteger, nullable=False),
    Column("best", BigInteger),
    Column("best_objectives", Text),  # as JSON
    Column("elapsed", Double, nullable=False),
    Column("started", Double),
    Column("ended", Double),
    UniqueConstraint("namespace", "name"),
    sqlite_autoincrement=True,  # the number of a deleted job is never given again
)

specs = Table(
    "specs",
    metadata,
    Column("job_id", Id, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("spec", Text, nullable=False),  # as JSON
)

runs = Table(
    "runs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("job_id", Id, ForeignKey("jobs.id", ondelete="CASCADE")),  # none: a run that was logged by hand
    Column("number", BigInteger, nullable=False),
    Column("definition", String, nullable=False),
    Column("params", Text, nullable=False),  # as JSON
    Column("seed", BigInteger, nullable=False),
    Column("origin", Text, nullable=False),
    Column("status", String, nullable=False),
    Column("reason_code", String),
    Column("reason", Text),
    Column("objectives", Text),  # as JSON
    Column("metrics", Text, nullable=False),  # as JSON
    Column("feasible", Boolean, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("executions", BigInteger, nullable=False),
    Column("created", Double, nullable=False),
    Column("started", Double),
    Column("ended", Double),
    UniqueConstraint("job_id", "number"),
)

executions = Table(
    "executions",
    metadata,
    Column("run_id", Id, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("token", String, nullable=False),
    Column("purpose", String, nullable=False),
    Column("fold", BigInteger, nullable=False),
    Column("repeat", BigInteger, nullable=False),
    Column("fidelity", Double),
    Column("from_step", BigInteger, nullable=False),
    Column("until_step", BigInteger),
    Column("status", String, nullable=False),
    Column("handle", Text),
    Column("failure", String),
    Column("reason", Text),
    Column("objectives", Text),  # as JSON
    Column("reports", BigInteger, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("charged", Boolean, nullable=False),
    Column("started", Double),
    Column("ended", Double),
    PrimaryKeyConstraint("run_id", "number"),
    sqlite_with_rowid=False,
)

series = Table(
    "series",
    metadata,
    Column("id", Id, primary_key=True),
    Column("run_id", Id, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("metric", String().with_variant(String(collation="C"), "postgresql"), nullable=False),  # sorted as in Python
    Column("count", BigInteger, nullable=False),
    Column("last", Double),
    Column("minimum", Double),
    Column("maximum", Double),
    Column("last_step", BigInteger, nullable=False),
    UniqueConstraint("run_id", "metric"),
)

points = Table(
    "points",
    metadata,
    Column("series_id", Id, ForeignKey("series.id", ondelete="CASCADE"), nullable=False),
    Column("execution", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("value", Double),
    Column("at", Double, nullable=False),
    PrimaryKeyConstraint("series_id", "execution", "position"),
    sqlite_with_rowid=False,
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("id", Id, primary_key=True),
    Column("run_id", Id, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("execution", BigInteger, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("path", Text, nullable=False),
    Column("at", Double, nullable=False),
    UniqueConstraint("run_id", "execution", "step"),
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("job_id", Id, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("trial", BigInteger, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("action", String, nullable=False),
    Column("until", BigInteger),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Double, nullable=False),
    Index(None, "job_id", "trial"),
)

commands = Table(
    "commands",
    metadata,
    Column("id", Id, primary_key=True),
    Column("job_id", Id, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String, nullable=False),
    Column("payload", Text, nullable=False),  # as JSON
    Column("by", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("handled", Boolean, nullable=False),
    Column("answer", Text),
    Index(None, "job_id", "handled"),
    sqlite_autoincrement=True,
)

events = Table(
    "events",
    metadata,
    Column("job_id", Id, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("kind", String, nullable=False),
    Column("trial", BigInteger),
    Column("execution", BigInteger),
    Column("detail", Text, nullable=False),
    Column("at", Double, nullable=False),
    PrimaryKeyConstraint("job_id", "number"),
    sqlite_with_rowid=False,
)
