"""The reader as a child process: limits, refusals, crashes, and its end with its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from controller.domain.errors import HeadgateError, ResourceExhausted
from controller.reader.request import ReadRequest, TableError, TableFormat
from controller.reader.runner import ReaderProcess

MIB = 1 << 20


def request(path: Path, tmp_path: Path) -> ReadRequest:
    output = str(tmp_path / "out.parquet")
    return ReadRequest(
        str(path), path.name, TableFormat.UNSPECIFIED, output, str(tmp_path), 1 << 30
    )


@pytest.fixture
def reader() -> ReaderProcess:
    return ReaderProcess(1024 * MIB, 100.0)


def test_a_table_is_read_and_nothing_else_is_left(reader: ReaderProcess, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,x\n2,y\nNA,x\n")
    result = reader.read(request(path, tmp_path))
    assert (result.rows, result.format) == (3, TableFormat.CSV)
    assert parquet.read_table(tmp_path / "out.parquet").num_rows == 3
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["out.parquet", "t.csv"]


def test_a_refusal_crosses_the_process_boundary(reader: ReaderProcess, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1\n")
    with pytest.raises(TableError, match="line 2 has 1 cells") as caught:
        reader.read(request(path, tmp_path))
    assert caught.value.reason == "RAGGED_ROWS"
    assert "quotes" in caught.value.remedy


def test_memory_is_limited(tmp_path: Path) -> None:
    path = tmp_path / "t.arrow"  # a batch of an Arrow file comes whole: 256 MiB of it
    table = pa.table({"a": np.random.default_rng(0).normal(size=32 * MIB)})
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=len(table))
    with pytest.raises(ResourceExhausted, match=r"160 MiB.*raise the reader's memory limit"):
        ReaderProcess(160 * MIB, 100.0).read(request(path, tmp_path))


def test_the_watchdog_alone_limits_memory(reader: ReaderProcess) -> None:
    for_ever = float("inf")
    reader._check(os.getpid(), for_ever)
    with pytest.raises(ResourceExhausted, match="1 MiB"):
        ReaderProcess(MIB, 100.0)._check(os.getpid(), for_ever)  # this process holds far more


def test_time_is_limited(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n3,4\n")
    with pytest.raises(ResourceExhausted, match=r"0\.05 seconds.*time limit"):
        ReaderProcess(1024 * MIB, 0.05).read(request(path, tmp_path))


def test_a_large_table_needs_bounded_memory(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    table = pa.table({f"x{at}": generator.normal(size=200_000) for at in range(20)})
    path = tmp_path / "t.csv"
    csv.write_csv(table, str(path))
    assert path.stat().st_size > 70 * MIB
    result = ReaderProcess(360 * MIB, 100.0).read(request(path, tmp_path))  # 230 MiB measured
    assert result.rows == 200_000
    assert result.columns[0].mean == pytest.approx(float(np.mean(table["x0"].to_numpy())))


def test_a_fault_of_the_reader_is_internal(
    reader: ReaderProcess, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(HeadgateError, match="FileNotFoundError") as caught:
        reader.read(request(tmp_path / "gone.csv", tmp_path))
    assert caught.value.reason == "INTERNAL"
    assert "Traceback" in caplog.text


PARENT = """
import sys
from controller.reader.request import ReadRequest, TableFormat
from controller.reader.runner import ReaderProcess
out, scratch = sys.argv[2], sys.argv[3]
ReaderProcess(1 << 30, 100.0).read(
    ReadRequest(sys.argv[1], "t.csv", TableFormat.CSV, out, scratch, 1 << 30)
)
"""


def write_until_nobody_reads(descriptor: int) -> None:
    """Ends by BrokenPipeError, or by the test's timeout."""
    while True:
        os.write(descriptor, b"x")


def test_a_reader_dies_with_its_parent(tmp_path: Path) -> None:
    fifo = tmp_path / "t.csv"
    os.mkfifo(fifo)  # the reader opens it and waits for bytes that never come
    arguments = [str(fifo), str(tmp_path / "out"), str(tmp_path)]
    with subprocess.Popen([sys.executable, "-c", PARENT, *arguments]) as parent:
        writer = os.open(fifo, os.O_WRONLY)  # waits until the reader has it open
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        handle = os.pidfd_open(int(children[0]))
        os.kill(parent.pid, signal.SIGKILL)
    with pytest.raises(BrokenPipeError):
        write_until_nobody_reads(writer)
    os.close(writer)
    os.close(handle)
