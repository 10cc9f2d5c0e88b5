"""The first version: its tables are made by the schema itself."""

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Nothing: a store of this version is made whole."""
