"""Generates `headgate/v1` from `protos/headgate/v1`, lints the protos, or checks for drift.

python protos/generate.py            write the generated code
python protos/generate.py --check    exit 1 when the committed code is not what the protos give
python protos/generate.py --lint     run `buf lint`
"""

import argparse
import filecmp
import importlib.resources
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
TARGET = ROOT / "headgate" / "v1"
INIT = '"""Generated from protos/headgate/v1 by `make protos`; do not edit."""\n'


def google_protos() -> Path:
    """The directory that holds `google/api` and `google/rpc` as .proto files."""
    status = importlib.util.find_spec("google.rpc.status_pb2")
    if status is None or status.origin is None:
        raise SystemExit("googleapis-common-protos is not installed; run `make install`")
    return Path(status.origin).parent.parent.parent


def generate(out: Path) -> None:
    """Writes the Python modules and their type stubs below `out`."""
    sources = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.glob("headgate/v1/*.proto"))
    well_known = Path(str(importlib.resources.files("grpc_tools"))) / "_proto"
    command = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        f"-I{PROTOS}",
        f"-I{google_protos()}",
        f"-I{well_known}",
        f"--python_out={out}",
        f"--pyi_out={out}",
        f"--grpc_python_out={out}",
        f"--plugin=protoc-gen-mypy_grpc={Path(sys.executable).parent / 'protoc-gen-mypy_grpc'}",
        f"--mypy_grpc_out={out}",
        *sources,
    ]
    subprocess.run(command, check=True)
    (out / "headgate" / "v1" / "__init__.py").write_text(INIT)


def write() -> int:
    """Replaces the generated package."""
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch))
        shutil.rmtree(TARGET, ignore_errors=True)
        shutil.copytree(Path(scratch) / "headgate" / "v1", TARGET)
    return 0


def check() -> int:
    """Compares the committed package with a fresh one; 1 when they differ."""
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch))
        fresh = Path(scratch) / "headgate" / "v1"
        expected = {path.name for path in fresh.iterdir()}
        present = {path.name for path in TARGET.iterdir() if path.name != "__pycache__"}
        _, differing, missing = filecmp.cmpfiles(
            fresh, TARGET, sorted(expected | present), shallow=False
        )
    stale = sorted({*differing, *missing})
    for name in stale:
        sys.stderr.write(f"headgate/v1/{name} is not what protos/ gives; run `make protos`\n")
    return 1 if stale else 0


def lint() -> int:
    """Runs `buf lint` on a workspace of our protos and Google's."""
    with tempfile.TemporaryDirectory() as scratch:
        workspace = Path(scratch)
        shutil.copy(PROTOS / "buf.yaml", workspace)
        shutil.copytree(PROTOS / "headgate", workspace / "api" / "headgate")
        for package in ("api", "rpc"):
            shutil.copytree(
                google_protos() / "google" / package,
                workspace / "third_party" / "google" / package,
                ignore=shutil.ignore_patterns("*.py", "__pycache__", "expr"),
            )
        buf = Path(sys.executable).parent / "buf"
        return subprocess.run([str(buf), "lint", "api"], cwd=workspace, check=False).returncode


def main() -> int:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--check", action="store_true", help="fail when generated code is stale")
    group.add_argument("--lint", action="store_true", help="run buf lint")
    arguments = parser.parse_args()
    if arguments.check:
        return check()
    return lint() if arguments.lint else write()


if __name__ == "__main__":
    sys.exit(main())
