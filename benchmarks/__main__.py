"""Runs the benchmarks and prints their tables: `python -m benchmarks [name ...]`.

Each figure is a ratio against a peer or a floor in the same run, for machines are noisy. `docs/benchmarks.md` keeps the
tables.
"""

from __future__ import annotations

import importlib
import sys

NAMES = ("imports", "throughput", "workers", "memory", "listing", "postgres", "scripts")


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"unknown benchmark {unknown[0]!r}; known: {', '.join(NAMES)}", file=sys.stderr)
        return 2
    for name in names or NAMES:
        print(f"\n## {name}\n", flush=True)
        importlib.import_module(f"benchmarks.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
