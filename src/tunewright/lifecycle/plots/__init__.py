"""Pictures of a job: as figures of matplotlib's, and as text."""
