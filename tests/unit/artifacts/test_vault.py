"""Folders are kept whole or not at all, in object storage as in a shared folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.s3_server import SECRET, S3Server
from tunewright.artifacts.vault import Vault, check_root, is_address
from tunewright.errors import InvalidInput, StoreError

NAMES = ("model.bin", "a b.txt", "ü/你好.txt", "deep/er/x?#%&+.txt", "deep/.hidden")


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.slow)])
def vault(request: pytest.FixtureRequest, tmp_path: Path) -> Vault:
    if request.param == "s3":
        request.getfixturevalue("s3")
        return Vault(check_root("s3://team/some/prefix/"), pauses=())
    return Vault(check_root(tmp_path / "shared folder"), pauses=())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkpoint with names that are hard to keep."""
    made = tmp_path / "checkpoint"
    for size, name in enumerate(NAMES):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_bytes(bytes(range(256)) * 500 * size)
    (made / "empty" / "folder").mkdir(parents=True)
    return made


def contents(folder: Path) -> dict[str, bytes | None]:
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*")}
    return {name: path.read_bytes() if path.is_file() else None for name, path in found.items()}


def test_what_is_kept_comes_back_as_it_was(vault: Vault, folder: Path, tmp_path: Path) -> None:
    address = vault.put_new(folder, "trials/00001/checkpoints/step-3")
    assert is_address(address)
    assert address.startswith(f"{vault.root}/trials/00001/checkpoints/step-3.")
    assert vault.holds(address)
    vault.fetch(address, tmp_path / "back")
    assert contents(tmp_path / "back") == contents(folder)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_two_of_a_name_are_apart(vault: Vault, folder: Path) -> None:
    first, second = vault.put_new(folder, "step-3"), vault.put_new(folder, "step-3")
    assert first != second
    assert vault.holds(first)
    assert vault.holds(second)


def test_a_later_one_of_a_key_takes_its_place(vault: Vault, folder: Path, tmp_path: Path) -> None:
    vault.put(folder, "trials/00001/artifacts")
    (folder / "model.bin").unlink()
    (folder / "later").write_text("later")
    address = vault.put(folder, "trials/00001/artifacts")
    vault.fetch(address, tmp_path / "back")
    assert contents(tmp_path / "back") == contents(folder)
    assert "trials/00001/artifacts/model.bin" not in vault.keys("trials")


def test_an_empty_folder_is_one(vault: Vault, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    address = vault.put(tmp_path / "nothing", "step-1")
    assert vault.holds(address)
    vault.fetch(address, tmp_path / "back")
    assert [*(tmp_path / "back").iterdir()] == []


def test_an_upload_that_was_torn_is_not_there(
    vault: Vault, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All files have arrived, and the process ended before the manifest was written."""

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    address = f"{vault.root}/step-3"
    with monkeypatch.context() as patch:
        patch.setattr(vault, "_write", dies)
        with pytest.raises(KeyboardInterrupt):
            vault.put(folder, "step-3")
    assert vault.keys("step-3")
    assert not vault.holds(address)
    with pytest.raises(StoreError, match="never stored whole"):
        vault.fetch(address, tmp_path / "back")
    assert not (tmp_path / "back").exists()
    assert vault.holds(vault.put(folder, "step-3")), "another attempt finds nothing in its way"


@pytest.mark.parametrize("damage", ["shortened", "gone"])
def test_what_differs_from_its_manifest_is_not_taken(vault: Vault, folder: Path, tmp_path: Path, damage: str) -> None:
    address = vault.put(folder, "step-3")
    path = f"{vault._base}/step-3/a b.txt"
    vault._files.rm_file(path)
    if damage == "shortened":
        vault._files.pipe_file(path, b"half")
    with pytest.raises(StoreError, match="a b.txt has 4 bytes in place of 128000" if damage == "shortened" else "FileNotFound"):
        vault.fetch(address, tmp_path / "back")
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"files": {}}'])
def test_a_manifest_that_is_not_whole_is_none(vault: Vault, folder: Path, text: str) -> None:
    address = vault.put(folder, "step-3")
    vault._files.pipe_file(f"{vault._base}/step-3.json", text.encode())
    assert not vault.holds(address)


def test_what_is_removed_is_gone_and_the_rest_is_not(vault: Vault, folder: Path) -> None:
    first, second = (vault.put(folder, f"trials/0000{number}/checkpoints/step-1") for number in (1, 2))
    artifacts = vault.put(folder, "trials/00001/artifacts")
    vault.remove("trials/00001/checkpoints")
    vault.remove("trials/00001/checkpoints")
    assert [vault.holds(address) for address in (first, second, artifacts)] == [False, True, True]
    assert not [key for key in vault.keys("trials") if key.startswith("trials/00001/checkpoints")]
    vault.describe({"job": "x"})
    vault.remove()
    assert vault.keys("trials") == []


def test_whose_files_these_are_can_be_read(vault: Vault) -> None:
    vault.describe({"job": "a job", "user": "ü"})
    assert json.loads(vault._files.cat_file(f"{vault._base}/job.json")) == {"job": "a job", "user": "ü"}


def test_what_fails_for_a_while_is_tried_again(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = Vault(check_root(tmp_path / "shared"), pauses=(0.0, 0.0))
    put, failures = vault._files.put, [OSError("the network"), TimeoutError("again")]

    def failing(*arguments: Any) -> None:
        if failures:
            raise failures.pop()
        put(*arguments)

    monkeypatch.setattr(vault._files, "put", failing)
    assert vault.holds(vault.put(folder, "step-3"))
    failures += [OSError("the network is away")] * 3
    with pytest.raises(StoreError, match=r"artifacts at file://.*step-4: OSError: the network is away"):
        vault.put(folder, "step-4")


# --- addresses ---


@pytest.mark.parametrize(
    ("root", "rule"),
    [
        ("", "must be a path, or an address such as s3://bucket/prefix; got ''"),
        (3, "must be a path, or an address"),
        ("nosuch://bucket", "must be an address that fsspec knows"),
        ("sftp://me:s3cr3t@host/path", "must hold no password"),
    ],
)
def test_a_root_that_nothing_reaches_is_refused(root: object, rule: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_root(root)
    assert str(caught.value).startswith(f"artifacts {rule}")
    assert "s3cr3t" not in str(caught.value)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(scheme: str) -> None:
        raise ImportError(f"Install what {scheme} needs")

    monkeypatch.setattr("fsspec.get_filesystem_class", missing)
    with pytest.raises(InvalidInput, match=r"pip install 'tunewright\[s3\]'"):
        check_root("s3://bucket/prefix")


def test_a_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert check_root("shared") == check_root(Path("shared")) == f"file://{tmp_path}/shared"


@pytest.mark.slow
def test_object_storage_that_refuses_is_an_error_within_seconds(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoreError, match="s3://nosuch/x: FileNotFoundError: The specified bucket does not exist"):
        Vault("s3://nosuch/x").describe({})
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", f"{SECRET}-not")
    with pytest.raises(StoreError, match="PermissionError") as caught:
        Vault("s3://team/x", pauses=()).describe({})
    assert SECRET not in str(caught.value)
    s3.close()
    with pytest.raises(StoreError, match="Could not connect"):
        Vault("s3://team/x", pauses=()).describe({})
