"""Tunewright inside other tools, and other tools inside Tunewright; each needs the tool that it is for."""
