"""Where jobs and their trials are kept: in memory, or in an SQL database (a SQLite file, or PostgreSQL)."""

from tunewright.store.location import default_location as default_location
from tunewright.store.opening import open_store as open_store
from tunewright.store.upgrading import upgrade_store as upgrade_store
