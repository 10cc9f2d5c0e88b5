"""Checkpoints and artifacts that are kept in object storage, or in a folder that hosts share, beside the job's own folder."""
