"""A Debian root, made once from this machine's own mirrors and kept: what the system test and the ARM test run on."""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

import pytest

CHECKOUT: Final = Path(__file__).resolve().parents[1]
# Git ignores it, `make clean` removes it.
KEPT: Final = CHECKOUT / "build"

# The Debian release whose Python is the one that runs here, so that both sides resolve the same packages: Debian 12
# (https://packages.debian.org/bookworm/python3) and Debian 13 (https://packages.debian.org/trixie/python3).
_SUITES: Final = {(3, 11): "bookworm", (3, 13): "trixie"}

# What pip takes to make the package, and no more: a copy of it leaves out what lies about in a checkout.
_SOURCES: Final = (
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "Makefile",
    "edge",
    "cloud_sync",
    "models",
    "training",
    "systemd",
)
_LEFT_OUT: Final = shutil.ignore_patterns("__pycache__", "work")

# How this machine's apt reaches its mirrors, which a new root's apt must know too.
_APT_ACCESS: Final = ("Acquire::http", "Acquire::https", "Acquire::Check-Valid-Until", "Acquire::Check-Date")


def debian_root(
    folder: Path,
    packages: Sequence[str],
    *,
    architecture: str,
    variant: str,
    release: str,
    hooks: Sequence[str] = (),
) -> Path:
    """A tar file with `packages` of a Debian release, in `folder`; made anew when what makes it has changed."""
    command = [
        "mmdebstrap",
        f"--variant={variant}",
        f"--architectures={architecture}",
        f"--include={','.join(packages)}",
        *(f"--essential-hook={hook}" for hook in hooks),
        "--format=tar",
        release,
    ]

    def make(tar: Path) -> None:
        options = [f"--aptopt={line}" for line in run("apt-config", "dump", *_APT_ACCESS).splitlines() if line]
        with tempfile.TemporaryDirectory() as aside:
            run(*command[:-1], *options, release, str(tar), *_apt_sources(release, Path(aside)))

    return kept(folder / f"{release}-{architecture}-{key_of(command)}.tar", make)


def suite() -> str:
    """The name of the Debian release to use; without one for this Python the test fails, saying so."""
    found = _SUITES.get(sys.version_info[:2])
    if found is None:
        pytest.fail("no Debian release has this Python: make .venv with Python 3.11 or 3.13", pytrace=False)
    return found


def package_sources(folder: Path) -> Path:
    """A copy of what the package is made of, in `folder`."""
    for name in _SOURCES:
        source = CHECKOUT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=_LEFT_OUT)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / name)
    return folder


def key_of(words: Iterable[str], *trees: Path) -> str:
    """A short name for a command's words and for all that the files and folders `trees` hold."""
    digest = hashlib.sha256("\0".join(words).encode())
    for tree in trees:
        files = sorted(path for path in tree.rglob("*") if path.is_file()) if tree.is_dir() else [tree]
        for file in files:
            digest.update(f"\0{file.relative_to(tree)}\0".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def kept(path: Path, make: Callable[[Path], object]) -> Path:
    """`path`, which appears when `make` has written it whole; others of its kind, of older keys, go."""
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    stem = path.name.rpartition("-")[0]
    partial = path.with_name(f"partial-{path.name}")
    for older in (*path.parent.glob(f"{stem}-*"), *path.parent.glob(f"partial-{stem}-*")):
        shutil.rmtree(older) if older.is_dir() else older.unlink()
    make(partial)
    partial.rename(path)
    return path


def run(*command: str, timeout_s: float = 1800.0) -> str:
    """What `command` prints, with nothing on its standard input; when it fails, the test does, with its last words."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s, check=False
    )
    if done.returncode:
        words = "\n".join(f"{done.stdout}\n{done.stderr}".splitlines()[-20:])
        pytest.fail(f"{' '.join(command)[:300]}: exit code {done.returncode}\n{words}", pytrace=False)
    return done.stdout


def _apt_sources(release: str, aside: Path) -> list[str]:
    """This machine's own Debian mirrors, asked for that release, as files; where it has none, mmdebstrap knows some."""
    system = platform.freedesktop_os_release()
    if system["ID"] != "debian":
        return []
    files = (Path("/etc/apt/sources.list"), Path("/etc/apt/sources.list.d/debian.sources"))
    found = []
    for file in filter(Path.is_file, files):
        copy = aside / file.name
        copy.write_text(file.read_text(encoding="utf-8").replace(system["VERSION_CODENAME"], release), encoding="utf-8")
        found.append(str(copy))
    return found
