from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tunewright.errors import InvalidInput
from tunewright.slots.registry import Registry

HOLDER = """
import sys, time
from tunewright.slots.registry import Registry
held = Registry(sys.argv[1]).publish({"gpus": {"0": 1.0}, "job": "other", "trial": 3})
print("held", flush=True)
time.sleep(600)
"""

NOBODY = """
import fcntl, os, sys, time
from tunewright.slots.registry import Registry
os.setgid(65534)
os.setuid(65534)
theirs = Registry(sys.argv[1])
seen = [entry.job for entry in theirs.living()]
held = theirs.publish({"job": "of nobody"})
print(*seen, flush=True)
time.sleep(600)
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    """A process that holds a lease of GPU 0."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_a_lease_is_seen_by_others_until_it_is_given_back(tmp_path: Path) -> None:
    mine, other = Registry(tmp_path / "slots"), Registry(tmp_path / "slots")
    lease = mine.publish({"gpus": {"0": 0.5}, "cores": (1, 2), "job": "mine", "trial": 7})
    for registry in (mine, other, other):
        (seen,) = registry.living()
        assert (seen.name, seen.waits, seen.gpus, seen.cores) == (lease.name, False, {"0": 0.5}, (1, 2))
        assert (seen.job, seen.trial, seen.pid, seen.uid) == ("mine", 7, os.getpid(), os.getuid())
    lease.withdraw()
    lease.withdraw()
    assert other.living() == []
    assert names(tmp_path / "slots") == []


def test_everybody_may_read_a_lease_and_add_one_of_their_own(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        lease = Registry(tmp_path / "slots").publish({})
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "slots").stat().st_mode) == 0o1777
    assert stat.S_IMODE((tmp_path / "slots" / lease.name).stat().st_mode) == 0o644
    lease.withdraw()


@pytest.mark.slow
def test_a_lease_ends_with_its_process_whatever_ends_it(tmp_path: Path) -> None:
    process = holder(tmp_path)
    registry = Registry(tmp_path)
    assert [(entry.job, entry.pid) for entry in registry.living()] == [("other", process.pid)]
    process.kill()
    process.communicate()
    assert registry.living() == []
    assert names(tmp_path) == []


@pytest.mark.slow
def test_a_process_that_inherits_a_lease_keeps_it(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    lease = registry.publish({"gpus": {"0": 1.0}})
    heir = subprocess.Popen(["sleep", "600"], pass_fds=(lease.descriptor,))
    stranger = subprocess.Popen(["sleep", "600"])
    lease.let_go()
    lease.let_go()
    assert len(registry.living()) == 1
    heir.kill()
    heir.wait()
    assert registry.living() == []
    stranger.kill()
    stranger.wait()


def test_giving_a_lease_back_ends_it_for_those_who_inherited_it(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    lease = registry.publish({"gpus": {"0": 1.0}})
    inherited = os.dup(lease.descriptor)
    lease.withdraw()
    assert registry.living() == []
    os.close(inherited)


def test_who_waits_has_to_say_so_again_and_again(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    wish = registry.publish({"need": 2.0, "among": ["0", "1"]}, waits=True)
    (seen,) = registry.living()
    assert (seen.waits, seen.need, seen.among, seen.fresh) == (True, 2.0, ("0", "1"), True)
    os.utime(tmp_path / wish.name, (time.time() - 60, time.time() - 60))
    assert [entry.fresh for entry in registry.living()] == [False]
    wish.touch()
    assert [entry.fresh for entry in registry.living()] == [True]
    wish.withdraw()


@pytest.mark.parametrize(
    "content",
    [
        "no JSON",
        "[]",
        "{}",
        '{"since": 1}',
        '{"since": 1, "pid": 1, "gpus": {"0": -1}}',
        '{"since": 1, "pid": 1, "gpus": {"0": 2}}',
        '{"since": 1, "pid": 1, "cores": "x"}',
        '{"since": NaN, "pid": 1}',
        '{"since": 1, "pid": -1}',
        '{"since": 1, "pid": Infinity}',
    ],
)
def test_what_makes_no_sense_is_not_believed(tmp_path: Path, content: str) -> None:
    registry = Registry(tmp_path)
    lease = registry.publish({})
    (tmp_path / lease.name).write_text(content)
    assert registry.living() == []
    lease.withdraw()


@pytest.mark.parametrize("need", ["0", "-1", "1e9", "NaN", "Infinity"])
def test_nobody_waits_for_what_makes_no_sense(tmp_path: Path, need: str) -> None:
    registry = Registry(tmp_path)
    wish = registry.publish({"need": 1.0}, waits=True)
    (tmp_path / wish.name).write_text(f'{{"since": 1, "pid": 1, "need": {need}}}')
    assert registry.living() == []
    wish.withdraw()


def test_names_of_others_do_no_harm_to_a_terminal(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    lease = registry.publish({"job": "\x1b[31mred\n" + "x" * 1000})
    (seen,) = registry.living()
    assert seen.job == ("?[31mred?" + "x" * 1000)[:80]
    lease.withdraw()


def test_other_things_in_the_folder_are_let_be(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "lease-link").symlink_to(tmp_path / "notes.txt")
    os.mkfifo(tmp_path / "lease-pipe")
    (tmp_path / "lease-folder").mkdir()
    (tmp_path / ".lease-new").touch()
    (tmp_path / ".lease-old").touch()
    os.utime(tmp_path / ".lease-old", (1, 1))
    assert Registry(tmp_path).living() == []
    assert {"notes.txt", "lease-link", "lease-folder", ".lease-new"} <= {*names(tmp_path)}
    assert not (tmp_path / ".lease-old").exists()
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_users_see_each_others_leases_and_cannot_remove_them(tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == 0 and not folder.stat().st_mode & stat.S_IXOTH:
            folder.chmod(0o755)
    mine, dead = Registry(tmp_path / "slots"), Registry(tmp_path / "slots")
    lease = mine.publish({"job": "of root", "gpus": {"0": 1.0}})
    left = dead.publish({"job": "dead"})
    left.let_go()
    other = subprocess.Popen(
        [sys.executable, "-c", NOBODY, str(tmp_path / "slots")], stdout=subprocess.PIPE, text=True
    )  # fmt: skip
    assert other.stdout is not None
    assert other.stdout.readline() == "of root\n"
    assert {(entry.job, entry.uid) for entry in mine.living()} == {("of root", 0), ("of nobody", 65534)}
    other.kill()
    other.communicate()
    assert [entry.job for entry in mine.living()] == ["of root"]
    assert names(tmp_path / "slots") == [lease.name]
    lease.withdraw()


def test_a_folder_that_was_cleaned_away_is_made_again(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "slots")
    (tmp_path / "slots").rmdir()
    assert registry.living() == []
    lease = registry.publish({"gpus": {"0": 1.0}})
    assert len(registry.living()) == 1
    lease.withdraw()


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    with pytest.raises(InvalidInput, match=r"TUNEWRIGHT_SLOTS must be a folder, and no link to one; got '.*file'"):
        Registry(tmp_path / "file")
    with pytest.raises(InvalidInput, match="must be a folder, and no link to one"):
        Registry(tmp_path / "link")
    with pytest.raises(InvalidInput, match=r"must be a folder that can be made \(No such file"):
        Registry(tmp_path / "nowhere" / "slots")


def test_a_folder_of_somebody_who_lets_nobody_in_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # as for another user: the tests may run as root
    with pytest.raises(InvalidInput, match=r"that everybody may write to .*chmod 1777"):
        Registry(tmp_path)


def test_the_folder_is_said_by_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNEWRIGHT_SLOTS", str(tmp_path / "here"))
    assert Registry().folder == str(tmp_path / "here")
    monkeypatch.delenv("TUNEWRIGHT_SLOTS")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert Registry().folder == "/tmp/tunewright-slots", "one for all users, whatever their own temporary folder is"


def test_a_lease_can_be_read_by_people(tmp_path: Path) -> None:
    lease = Registry(tmp_path).publish({"job": "churn", "gpus": {"0": 1.0}})
    said = json.loads((tmp_path / lease.name).read_text())
    assert (said["job"], said["gpus"], said["pid"]) == ("churn", {"0": 1.0}, os.getpid())
    lease.withdraw()
