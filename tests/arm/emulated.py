"""A Raspberry Pi's Python and the package for it, under QEMU's user emulation: no root, no binfmt_misc, no network."""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.debian_root import KEPT, debian_root, kept, key_of, package_sources, run, suite

# Python and what the wheels expect of the system (auditwheel's manylinux policies name the C++ library); unpacked only,
# since nothing of it has to be set up.
_PACKAGES: Final = ("python3", "libstdc++6")
# That of Debian 12, QEMU 7.2, crashes in ai-edge-litert 2.3; this one is linked statically and runs anywhere.
_EMULATOR_RELEASE: Final = "trixie"
_EMULATOR: Final = "usr/bin/qemu-aarch64"
_SUCCESSOR: Final = "ai-edge-litert>=2.1"  # as in pyproject.toml, where households with a newer Python get it
# What a Debian 12 or 13 with glibc 2.36 or later takes (PEP 600); pip must be told each.
_PLATFORMS: Final = ("manylinux2014_aarch64", *(f"manylinux_2_{minor}_aarch64" for minor in range(17, 37)))
_PYTHON: Final = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True, slots=True)
class Emulated:
    """An aarch64 Debian's Python in `root`, with the package and its wheels in `site`; they were made of `sources`.

    `successor` holds ai-edge-litert, which `site` lacks where the Python is old enough for tflite-runtime.
    """

    emulator: Path
    root: Path
    site: Path
    successor: Path
    sources: Path

    def python(self, *arguments: str) -> str:
        """What this Python prints; when it fails, the test does."""
        path = f"PYTHONPATH={self.site}:{self.successor}"
        python = self.root / f"usr/bin/python{_PYTHON}"
        return run(str(self.emulator), "-L", str(self.root), "-E", path, str(python), *arguments)

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
    tar = debian_root(folder, _PACKAGES, architecture="arm64", variant="extract", release=suite())
    here = run("dpkg", "--print-architecture").strip()
    qemu = debian_root(folder, ("qemu-user",), architecture=here, variant="extract", release=_EMULATOR_RELEASE)
    with tempfile.TemporaryDirectory() as aside:
        copy = package_sources(Path(aside) / "hearthbeat")
        key = key_of((*_PLATFORMS, _SUCCESSOR), copy)
        made = kept(folder / f"made-{key}", lambda path: _install(copy, path))
    return Emulated(
        emulator=_unpacked(qemu, "emulator", f"./{_EMULATOR}") / _EMULATOR,
        root=_unpacked(tar, "root"),
        site=made / "site",
        successor=made / "successor",
        sources=made / "sources",
    )


def _unpacked(tar: Path, name: str, *members: str) -> Path:
    def unpack(path: Path) -> None:
        path.mkdir()
        run("tar", "--extract", "--no-same-owner", f"--file={tar}", f"--directory={path}", *members)

    return kept(tar.with_name(f"{name}-{tar.stem.rpartition('-')[2]}"), unpack)


def _install(copy: Path, made: Path) -> None:
    """Install the package by pip as for another machine: wheels only, each for its Python and its processor."""
    sources = Path(shutil.copytree(copy, made / "sources"))
    pip = (sys.executable, "-m", "pip")
    quiet = ("--quiet", "--no-input", "--disable-pip-version-check")
    run(*pip, "wheel", *quiet, "--no-deps", f"--wheel-dir={made}", str(sources))
    (wheel,) = made.glob("*.whl")
    platforms = [f"--platform={name}" for name in _PLATFORMS]
    target = (*platforms, "--implementation=cp", f"--python-version={_PYTHON}", "--only-binary=:all:")
    run(*pip, "install", *quiet, *target, f"--target={made / 'site'}", f"{wheel}[web]")
    run(*pip, "install", *quiet, *target, f"--target={made / 'successor'}", "--no-deps", _SUCCESSOR)
