"""Algorithms that end or pause trials early. One file each; `tunewright.catalog` knows their names."""
