"""Measures what Tunewright costs beside its peers and beside bare floors, in one run."""
