"""The commands `store backup`, `restore`, `prune` and `upgrade`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunewright.cli import options

if TYPE_CHECKING:
    from tunewright.lifecycle.backup import Saved


def backup(file: options.Backup, store: options.Store = None, as_json: options.Json = False) -> None:
    """Saves a store to a new file: an archive (.tar.gz) with jobs' files, or the database alone (.db). Jobs may go on."""
    from tunewright.lifecycle.backup import back_up

    _tell("Saved", back_up(store, file), as_json=as_json)


def restore(file: options.Backup, store: options.Store = None, as_json: options.Json = False) -> None:
    """Makes a store of a backup. The store must be new, or hold no job."""
    from tunewright.lifecycle.backup import restore as restored

    _tell("Restored", restored(file, store), as_json=as_json)


def prune(
    older_than: options.OlderThan = None,
    keep: options.Keep = None,
    checkpoints: options.SpareCheckpoints = False,
    dry_run: options.OnlySay = False,
    yes: options.Yes = False,
    store: options.Store = None,
    as_json: options.Json = False,
) -> None:
    """Removes jobs that ended long ago, and checkpoints that nobody needs. Asks first."""
    from tunewright.cli.asking import confirm
    from tunewright.cli.choices import number_or_text
    from tunewright.cli.output import print_json
    from tunewright.lifecycle.pruning import plan_pruning
    from tunewright.lifecycle.pruning import prune as carry_out
    from tunewright.progress.formatting import counted
    from tunewright.resources import seconds, size_text
    from tunewright.store import open_store

    opened = open_store(store, create=False)
    age = None if older_than is None else seconds("--older-than", number_or_text(older_than) or 0.0)
    plan = plan_pruning(opened, older_than=age, keep=keep, checkpoints=checkpoints)
    what = f"{counted(len(plan.jobs), 'job')} and the checkpoints of {counted(len(plan.checkpoints), 'trial')}"
    found = bool(plan.jobs or plan.checkpoints)
    if found and not dry_run:
        confirm(f"Remove {what} ({size_text(plan.size)}) for good?", yes=yes)
        carry_out(opened, plan)
    if as_json:
        jobs = [{"name": name, "size": size} for name, size in plan.jobs]
        print_json({"done": found and not dry_run, "jobs": jobs, "checkpoints": [str(path) for path, _ in plan.checkpoints]})
        return
    for name, size in plan.jobs:
        print(f"{name}  {size_text(size)}")
    print(
        f"{'Would remove' if dry_run else 'Removed'} {what}, {size_text(plan.size)}" if found else "There is nothing to remove"
    )


def upgrade(dry_run: options.OnlySay = False, store: options.Store = None, as_json: options.Json = False) -> None:
    """Brings a store's tables up to this version. A database that a team shares is only upgraded so."""
    from dataclasses import asdict

    from tunewright.cli.output import print_json
    from tunewright.store import upgrade_store

    done = upgrade_store(store, dry_run=dry_run)
    if as_json:
        print_json(asdict(done))
        return
    if not done.statements:
        print(f"{done.location} is of version {done.found}, the newest; there is nothing to do")
        return
    for statement in done.statements if dry_run else ():
        print(f"    {statement}")
    verb = "was brought" if done.done else "would be brought"
    copied = f"; a copy of before is {done.copy}" if done.copy else ""
    print(f"{done.location} {verb} from version {done.found} to {done.newest}{copied}")


def _tell(verb: str, saved: Saved, *, as_json: bool) -> None:
    from tunewright.cli.output import print_json
    from tunewright.progress.formatting import counted
    from tunewright.resources import size_text

    if as_json:
        print_json({"file": str(saved.path), "jobs": saved.jobs, "files": saved.files, "size": saved.size})
    else:
        print(f"{verb} {counted(saved.jobs, 'job')} with {counted(saved.files, 'file')}: {saved.path}, {size_text(saved.size)}")
