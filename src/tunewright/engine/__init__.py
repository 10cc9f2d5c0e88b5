"""The loop that turns proposals into finished trials. It sees interfaces only and does no I/O of its own."""
