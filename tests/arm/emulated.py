"""A Raspberry Pi's Python and the package for it, under QEMU's user emulation: no root, no binfmt_misc, no network."""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.debian_root import KEPT, debian_root, kept, key_of, package_sources, run

EMULATOR: Final = "qemu-aarch64-static"
# Python and what the wheels expect of the system (auditwheel's manylinux policies name the C++ library); unpacked only,
# since nothing of it has to be set up.
_PACKAGES: Final = ("python3", "libstdc++6")
# What a Debian 12 or 13 with glibc 2.36 or later takes (PEP 600); pip must be told each.
_PLATFORMS: Final = ("manylinux2014_aarch64", *(f"manylinux_2_{minor}_aarch64" for minor in range(17, 37)))
_PYTHON: Final = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True, slots=True)
class Emulated:
    """An aarch64 Debian's Python in `root`, with the package and its wheels in `site`; they were made of `sources`."""

    root: Path
    site: Path
    sources: Path

    def python(self, *arguments: str) -> str:
        """What this Python prints; when it fails, the test does."""
        path = f"PYTHONPATH={self.site}"
        return run(EMULATOR, "-L", str(self.root), "-E", path, str(self.root / f"usr/bin/python{_PYTHON}"), *arguments)

    def python_here(self, *arguments: str) -> str:
        """What the Python of the tests prints, with the same sources."""
        return run("env", f"PYTHONPATH={self.sources}", sys.executable, *arguments)

    @property
    def command(self) -> str:
        """The `hearthbeat` that pip has put there, for either Python."""
        return str(self.site / "bin" / "hearthbeat")


def emulated() -> Emulated:
    """Make it, or take the one that was made of the same sources and packages."""
    folder = KEPT / "arm"
    tar = debian_root(folder, "arm64", "extract", _PACKAGES)
    root = kept(folder / f"root-{tar.stem.rpartition('-')[2]}", lambda path: _unpack(tar, path))
    with tempfile.TemporaryDirectory() as aside:
        copy = package_sources(Path(aside) / "hearthbeat")
        made = kept(folder / f"made-{key_of(_PLATFORMS, copy)}", lambda path: _install(copy, path))
    return Emulated(root, made / "site", made / "sources")


def _unpack(tar: Path, root: Path) -> None:
    root.mkdir(parents=True)
    run("tar", "--extract", "--no-same-owner", f"--file={tar}", f"--directory={root}")


def _install(copy: Path, made: Path) -> None:
    """Install the package by pip as for another machine: wheels only, each for its Python and its processor."""
    sources = Path(shutil.copytree(copy, made / "sources"))
    pip = (sys.executable, "-m", "pip")
    quiet = ("--quiet", "--no-input", "--disable-pip-version-check")
    run(*pip, "wheel", *quiet, "--no-deps", f"--wheel-dir={made}", str(sources))
    (wheel,) = made.glob("*.whl")
    platforms = [f"--platform={platform}" for platform in _PLATFORMS]
    target = ("--implementation=cp", f"--python-version={_PYTHON}", "--only-binary=:all:", f"--target={made / 'site'}")
    run(*pip, "install", *quiet, *platforms, *target, str(wheel))
