"""What Alembic runs: the revisions, on the connection and in the transaction of whoever opened the store."""

from alembic import context

from tunewright.store.sql.schema import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    version_table=VERSION_TABLE,
    render_as_batch=True,  # SQLite changes a column by making its table anew
)
with context.begin_transaction():
    context.run_migrations()
