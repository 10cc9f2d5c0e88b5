"""Named jobs on a store: made from a request, run, stopped, resumed after a crash, read back."""
