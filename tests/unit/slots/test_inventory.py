from __future__ import annotations

import pytest

from tests.gpus import GpuHost
from tunewright.errors import InvalidInput
from tunewright.slots.inventory import Inventory, find_gpus

LISTING = """cat <<'END'
GPU 0: NVIDIA A100 (UUID: GPU-aaa)
GPU 1: NVIDIA A100 (UUID: GPU-bbb)
  MIG 3g.20gb     Device  0: (UUID: MIG-b0)
  MIG 3g.20gb     Device  1: (UUID: MIG-b1)
END"""


def ids(inventory: Inventory) -> list[str]:
    return [gpu.id for gpu in inventory.gpus]


def test_without_a_driver_or_a_word_there_are_no_gpus(gpu_host: GpuHost) -> None:
    found = find_gpus()
    assert (ids(found), found.driver) == ([], None)
    assert found.source == "NVML says: Driver Not Loaded; nvidia-smi fails: it has failed"
    with pytest.raises(
        InvalidInput, match=r"resources\.gpus must be at most 0, the number of GPUs that trials may use on this host"
    ):
        found.trials(1)


def test_a_package_without_a_driver_is_no_problem(gpu_host: GpuHost) -> None:
    gpu_host.breaks("NVML Shared Library Not Found")
    assert find_gpus().problem == "nvidia-smi fails: it has failed"


@pytest.mark.parametrize(
    ("declared", "shown", "expected"),
    [
        ("4", None, ["0", "1", "2", "3"]),
        ("0", None, []),
        (" 2 ", None, ["0", "1"]),
        ("0,2", None, ["0", "2"]),
        ("3,", None, ["3"]),
        ("GPU-x, GPU-y", None, ["GPU-x", "GPU-y"]),
        ("4", "2,1", ["2", "1"]),
        ("2", "4,5,6", ["4", "5"]),
        ("4", "", []),
        ("4", "-1", []),
        ("0,2,3", "2,3", ["2", "3"]),
        (None, "1,3", ["1", "3"]),
        (None, "GPU-abc,1", ["GPU-abc", "1"]),
        (None, "none", []),
        (None, "", []),
        ("", None, []),
    ],
)  # fmt: skip
def test_gpus_are_declared_and_hidden_by_variables(
    gpu_host: GpuHost, declared: str | None, shown: str | None, expected: list[str]
) -> None:
    if declared is not None:
        gpu_host.declares(declared)
    if shown is not None:
        gpu_host.shows(shown)
    assert ids(find_gpus()) == expected


@pytest.mark.parametrize("text", ["-1", "1.5", "0,0", "0;1", ",", "a b"])
def test_a_declaration_that_says_nothing_is_refused(gpu_host: GpuHost, text: str) -> None:
    gpu_host.declares(text)
    with pytest.raises(InvalidInput, match="TUNEWRIGHT_GPUS must be a number of GPUs, or their indices or UUIDs"):
        find_gpus()


def test_nvml_tells_of_gpus_and_their_uuids(gpu_host: GpuHost) -> None:
    gpu_host.tells({"name": "NVIDIA H100"}, {})
    found = find_gpus()
    assert [(gpu.id, gpu.label, gpu.name) for gpu in found.gpus] == [
        ("GPU-0", "GPU 0", "NVIDIA H100"), ("GPU-1", "GPU 1", "Fake 9000"),
    ]  # fmt: skip
    assert found.source == "NVML"
    found.close()
    found.close()


@pytest.mark.parametrize(
    ("declared", "shown", "expected"),
    [
        (None, "1,0", ["GPU-1", "GPU-0"]),
        (None, "GPU-2", ["GPU-2"]),
        (None, "2,7,0", ["GPU-2"]),  # as for CUDA, an unknown one ends the list
        (None, "1,1", ["GPU-1"]),
        ("2", None, ["GPU-0", "GPU-1"]),
        ("2", "2,1,0", ["GPU-2", "GPU-1"]),
        ("1,2", None, ["GPU-1", "GPU-2"]),
        ("1,GPU-1", None, ["GPU-1"]),
        ("4", None, ["GPU-0", "GPU-1", "GPU-2", "3"]),
        ("1,9", None, ["GPU-1", "9"]),
    ],
)  # fmt: skip
def test_indices_become_uuids_where_they_are_known(
    gpu_host: GpuHost, declared: str | None, shown: str | None, expected: list[str]
) -> None:
    gpu_host.tells({}, {}, {})
    if declared is not None:
        gpu_host.declares(declared)
    if shown is not None:
        gpu_host.shows(shown)
    assert ids(find_gpus()) == expected


def test_the_beginning_of_a_uuid_is_enough_where_it_is_one_gpu_only(gpu_host: GpuHost) -> None:
    gpu_host.tells({"uuid": "GPU-abc1"}, {"uuid": "GPU-abd2"})
    for shown, expected in (("GPU-abd", ["GPU-abd2"]), ("GPU-ab", []), ("GPU-x", [])):
        gpu_host.shows(shown)
        assert ids(find_gpus()) == expected


def test_a_divided_gpu_is_its_parts(gpu_host: GpuHost) -> None:
    part = {"used": 1, "total": 2}
    gpu_host.tells({}, {"parts": [{"uuid": "MIG-a", **part}, {"uuid": "MIG-b", **part}]})
    assert [(gpu.id, gpu.label) for gpu in find_gpus().gpus] == [
        ("GPU-0", "GPU 0"), ("MIG-a", "GPU 1.0"), ("MIG-b", "GPU 1.1"),
    ]  # fmt: skip
    gpu_host.shows("1")
    assert ids(find_gpus()) == ["MIG-a", "MIG-b"]
    gpu_host.shows("MIG-b")
    assert ids(find_gpus()) == ["MIG-b"]


def test_nvidia_s_command_does_where_its_library_is_missing(gpu_host: GpuHost) -> None:
    gpu_host.command(LISTING)
    found = find_gpus()
    assert [(gpu.id, gpu.label, gpu.name) for gpu in found.gpus] == [
        ("GPU-aaa", "GPU 0", "NVIDIA A100"),
        ("MIG-b0", "GPU 1.0", "part 0 of NVIDIA A100"),
        ("MIG-b1", "GPU 1.1", "part 1 of NVIDIA A100"),
    ]
    assert found.source == "nvidia-smi"


def test_how_many_trials_an_inventory_holds(gpu_host: GpuHost) -> None:
    gpu_host.declares("2")
    found = find_gpus()
    assert [found.trials(need) for need in (0.5, 1, 2)] == [4, 2, 1]
    with pytest.raises(InvalidInput, match=r"must be at most 2, .* \(TUNEWRIGHT_GPUS=2, NVML says: .*\); got 3"):
        found.trials(3)
