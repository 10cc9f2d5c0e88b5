"""The first version: a store is made with it, so nothing leads up to it."""

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Nothing to do."""
