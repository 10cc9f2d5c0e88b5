"""Files that say what to tune: tune.yaml, and W&B's sweep files."""
