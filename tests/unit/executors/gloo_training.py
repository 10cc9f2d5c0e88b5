"""A training of several ranks: `torchrun --nproc-per-node 2 gloo_training.py --x=1.0`. Each rank writes which steps it did."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import torch
import torch.distributed as distributed

from tunewright.report import report


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--x", type=float)
    parser.add_argument("--witness", type=Path)
    given = parser.parse_args()
    distributed.init_process_group("gloo")
    rank = distributed.get_rank()
    with (given.witness / f"{os.environ['TUNEWRIGHT_NUMBER']}-{rank}").open("w", buffering=1) as witness:
        print(f"port {os.environ['MASTER_PORT']}", file=witness)
        for step in range(1, 7):
            loss = torch.tensor([given.x / step + rank])
            distributed.all_reduce(loss)
            time.sleep(0.05 * rank)
            report(loss=float(loss), step=step)
            print(f"passed {step}", file=witness)
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
