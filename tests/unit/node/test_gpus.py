"""The inventory of GPUs, from what nvidia-smi prints and from the variable that stands for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.node.gpus import BadInventory, Gpu, inventory

GIB = 1 << 30
ANSWER = """\
0, GPU-5f1c, NVIDIA A10G, 23028, 1028
1, GPU-77aa, NVIDIA A10G, 23028, [N/A]
2, GPU-0000, NVIDIA GB10, [N/A], [N/A]
"""


def test_devices_are_read_from_the_drivers_answer() -> None:
    found = inventory({}, lambda: ANSWER)
    assert [gpu.index for gpu in found] == [0, 1]
    assert found[0] == Gpu(0, "GPU-5f1c", "NVIDIA A10G", 23028 << 20, 1028 << 20)
    assert found[1].used_bytes == 0


@pytest.mark.parametrize("answer", [None, "", "No devices were found\n"])
def test_no_driver_or_no_device_is_none(answer: str | None) -> None:
    assert inventory({}, lambda: answer) == ()


def test_simulated_devices_take_the_place_of_the_drivers() -> None:
    found = inventory({"HEADGATE_SIMULATED_GPUS": "24GiB, 512MiB"}, lambda: ANSWER)
    assert [(gpu.index, gpu.memory_bytes) for gpu in found] == [(0, 24 * GIB), (1, GIB // 2)]
    assert inventory({"HEADGATE_SIMULATED_GPUS": ""}, lambda: ANSWER) == ()


def test_a_wrong_list_says_what_to_write() -> None:
    with pytest.raises(BadInventory, match="24GiB"):
        inventory({"HEADGATE_SIMULATED_GPUS": "two"})


def test_the_program_of_that_name_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(
        '#!/bin/sh\ntest "$2" = --format=csv,noheader,nounits && echo "3, GPU-1, A10, 100, 0"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    (gpu,) = inventory({})
    assert (gpu.index, gpu.memory_bytes) == (3, 100 << 20)
    program.write_text("#!/bin/sh\nexit 9\n")
    assert inventory({}) == ()
    program.unlink()
    assert inventory({}) == ()
