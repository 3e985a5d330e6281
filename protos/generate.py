"""Generates the code of our protos, lints them, or checks the committed code for drift.

    python protos/generate.py            write the generated code
    python protos/generate.py --check    exit 1 when the committed code is not what the protos give
    python protos/generate.py --lint     run `buf lint`

Two packages are generated: `headgate/v1` from `protos/headgate/v1`, and the Open Inference Protocol
beside its proto in `workers/serving/oip`.
"""

import argparse
import importlib.resources
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
API = Path("headgate") / "v1"
INFERENCE = Path("workers") / "serving" / "oip"
INIT = '"""Generated from protos/headgate/v1 by `make protos`; do not edit."""\n'


def google_protos() -> Path:
    """The directory that holds `google/api` and `google/rpc` as .proto files."""
    status = importlib.util.find_spec("google.rpc.status_pb2")
    if status is None or status.origin is None:
        raise SystemExit("googleapis-common-protos is not installed; run `make install`")
    return Path(status.origin).parent.parent.parent


def protoc(root: Path, package: Path, out: Path, *options: str) -> None:
    """Runs the compiler on all protos of a package below `root`."""
    well_known = Path(str(importlib.resources.files("grpc_tools"))) / "_proto"
    command = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        f"-I{root}",
        f"-I{google_protos()}",
        f"-I{well_known}",
        f"--python_out={out}",
        f"--pyi_out={out}",
        f"--grpc_python_out={out}",
        *options,
        *sorted(str(path.relative_to(root)) for path in (root / package).glob("*.proto")),
    ]
    subprocess.run(command, check=True)


def generate(out: Path) -> None:
    """Writes the Python modules and their type stubs below `out`."""
    plugin = Path(sys.executable).parent / "protoc-gen-mypy_grpc"
    typed_stubs = (f"--plugin=protoc-gen-mypy_grpc={plugin}", f"--mypy_grpc_out=quiet:{out}")
    protoc(PROTOS, API, out, *typed_stubs)
    (out / API / "__init__.py").write_text(INIT)
    protoc(ROOT, INFERENCE, out)


def generated_files(root: Path, package: Path) -> set[str]:
    """Names of the generated files of a package, relative to `root`."""
    found = {path for path in (root / package).iterdir() if "_pb2" in path.name and path.is_file()}
    return {str(path.relative_to(root)) for path in found}


def write() -> int:
    """Replaces the generated code."""
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch)
        generate(fresh)
        for package in (API, INFERENCE):
            (ROOT / package).mkdir(exist_ok=True)
            for name in generated_files(ROOT, package):
                (ROOT / name).unlink()
            for name in generated_files(fresh, package):
                shutil.copy(fresh / name, ROOT / name)
        shutil.copy(fresh / API / "__init__.py", ROOT / API / "__init__.py")
    return 0


def stale_files(fresh: Path) -> Sequence[str]:
    """Generated files that are missing, changed or left over."""
    names: set[str] = set()
    for package in (API, INFERENCE):
        names |= generated_files(fresh, package) | generated_files(ROOT, package)
    return sorted(name for name in names if _content(fresh / name) != _content(ROOT / name))


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def check() -> int:
    """Compares the committed code with a fresh one; 1 when they differ."""
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch))
        stale = stale_files(Path(scratch))
    for name in stale:
        sys.stderr.write(f"{name} is not what the protos give; run `make protos`\n")
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
