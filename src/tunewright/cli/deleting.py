"""The command `delete`."""

from __future__ import annotations

from tunewright.cli import options


def delete(
    names: options.JobNames, yes: options.Yes = False, store: options.Store = None, as_json: options.Json = False
) -> None:
    """Deletes jobs with all that is stored of them, and their files. Asks first."""
    from tunewright.cli.asking import confirm
    from tunewright.cli.output import print_json
    from tunewright.lifecycle.deleting import delete_job, size_of
    from tunewright.lifecycle.folders import job_folder
    from tunewright.lifecycle.running import stored_job
    from tunewright.progress.formatting import counted
    from tunewright.resources import size_text
    from tunewright.store import open_store

    opened = open_store(store)
    jobs = [stored_job(opened, name) for name in dict.fromkeys(names)]
    size = sum(size_of(job_folder(opened, job)) for job in jobs)
    trials = counted(sum(job.state.counts.total for job in jobs), "trial")
    what = f"{', '.join(job.name for job in jobs)} ({trials}, {size_text(size)} of files)"
    confirm(f"Delete {what} for good?", yes=yes)
    folders = {job.name: str(delete_job(opened, job.name)) for job in jobs}
    if as_json:
        print_json({"deleted": folders})
    else:
        print(f"Deleted {what}")
