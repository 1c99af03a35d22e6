"""The machine's disk: Debian with the real bluetoothd, and Hearthbeat installed as README.md says."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.debian_root import KEPT, debian_root, kept, key_of, package_sources, run, suite

GUEST: Final = Path(__file__).with_name("guest")
_PACKAGES: Final = (
    *("systemd", "systemd-sysv", "udev", "dbus", "bluez"),
    *("linux-image-amd64", "initramfs-tools", "qemu-guest-agent"),
    *("python3", "python3-venv", "make"),
)
# The initial RAM disk needs to find the disk, and nothing else: a large one takes long to unpack under emulation.
_SMALL_RAM_DISK: Final = (
    'mkdir -p "$1/etc/initramfs-tools/conf.d"; '
    'echo MODULES=list >"$1/etc/initramfs-tools/conf.d/small"; '
    'printf "%s\\n" virtio_pci virtio_blk ext4 >"$1/etc/initramfs-tools/modules"'
)
# They have nothing to do in a machine without a network or a screen, and take their time over it.
_IDLE: Final = (
    *("systemd-networkd.service", "systemd-networkd.socket", "systemd-logind.service", "getty@tty1.service"),
    *("e2scrub_reap.service", "systemd-update-utmp-runlevel.service", "apt-daily.timer", "apt-daily-upgrade.timer"),
)
_SIZE: Final = "2G"  # sparse; somewhat above what the root takes
_SETTINGS: Final = "etc/hearthbeat/hearthbeat.toml"
_OVERRIDE: Final = "etc/systemd/system/hearthbeat.service.d/override.conf"
_WEB_OVERRIDE: Final = "etc/systemd/system/hearthbeat-web.service.d/override.conf"
# Nobody listens there: what the machine would tell a phone stays in it.
_SECRET: Final = "json://127.0.0.1:9/"


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk as it comes from the factory, not to be written to, with the kernel and the RAM disk to boot from."""

    image: Path
    kernel: Path
    ram_disk: Path


def disk() -> Disk:
    """Make it, or take the one that was made of the same sources and packages."""
    if os.geteuid() != 0:
        pytest.fail("the machine's disk can only be made by root: sudo make system-test", pytrace=False)
    folder = KEPT / "system"
    debian = debian_root(
        folder, _PACKAGES, architecture="amd64", variant="minbase", release=suite(), hooks=(_SMALL_RAM_DISK,)
    )
    with tempfile.TemporaryDirectory() as aside:
        sources = package_sources(Path(aside) / "hearthbeat")
        wheels = kept(
            folder / f"wheels-{key_of((), sources / 'pyproject.toml')}", lambda path: _fetch_wheels(sources, path)
        )
        key = key_of((debian.name, _SIZE, _SECRET), sources, GUEST, Path(__file__))
        made = kept(folder / f"disk-{key}", lambda path: _make(debian, wheels, sources, path))
    return Disk(made / "disk.img", made / "vmlinuz", made / "initrd.img")


def _fetch_wheels(sources: Path, wheels: Path) -> None:
    """By this machine's pip, which knows the way: the new root need not reach any mirror."""
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check")
    build = "hatchling>=1.27"  # as in pyproject.toml, for pip's own environment in which it builds the package
    run(*pip, "--only-binary=:all:", f"--dest={wheels}", f"{sources}[web]", build)


def _make(debian: Path, wheels: Path, sources: Path, made: Path) -> None:
    made.mkdir()
    with _in_memory(made / "root") as root:
        run("tar", "--extract", f"--file={debian}", f"--directory={root}")
        _install(wheels, sources, root)
        _settle_in(root)
        for name in ("vmlinuz", "initrd.img"):
            shutil.copy(root / name, made / name)
        run("mke2fs", "-q", "-t", "ext4", "-d", str(root), str(made / "disk.img"), _SIZE)


@contextmanager
def _in_memory(folder: Path) -> Iterator[Path]:
    """A folder for very many files that are soon deleted: on some disks that takes longer than all the rest."""
    folder.mkdir()
    run("mount", "-t", "tmpfs", "-o", "mode=0755,size=4g", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        run("umount", str(folder))
        folder.rmdir()


def _install(wheels: Path, sources: Path, root: Path) -> None:
    shutil.copytree(wheels, root / "wheels")
    shutil.copytree(sources, root / "root/hearthbeat")
    environment = ("PATH=/usr/sbin:/usr/bin", "HOME=/root", "LANG=C.UTF-8", "PIP_NO_INDEX=1", "PIP_FIND_LINKS=/wheels")
    run("env", "-i", *environment, "chroot", str(root), "make", "--directory=/root/hearthbeat", "install")
    shutil.rmtree(root / "wheels")


def _settle_in(root: Path) -> None:
    """What makes it this machine: its disk, its adapter, a log that can be watched from outside, and the settings."""
    _write(root / "etc/fstab", "/dev/vda / ext4 defaults 0 1\n")
    _write(root / "etc/hostname", "hearthbeat\n")
    _write(root / "etc/systemd/journald.conf.d/outside.conf", "[Journal]\nForwardToConsole=yes\nMaxLevelConsole=info\n")
    _write(root / "etc/systemd/system/qemu-guest-agent.service.d/quiet.conf", "[Service]\nLogLevelMax=warning\n")
    shutil.copy(GUEST / "virtual-adapter", root / "usr/local/sbin/virtual-adapter")
    shutil.copy(GUEST / "virtual-adapter.service", root / "etc/systemd/system/virtual-adapter.service")
    run("chroot", str(root), "systemctl", "enable", "virtual-adapter.service")
    run("chroot", str(root), "systemctl", "mask", *_IDLE)
    settings = root / _SETTINGS
    settings.write_text((GUEST / "hearthbeat.toml").read_text(encoding="utf-8"), encoding="utf-8")
    _write(root / "etc/secrets/parent-phone.url", _SECRET)
    (root / "etc/secrets/parent-phone.url").chmod(0o600)
    _write(root / _OVERRIDE, (GUEST / "override.conf").read_text(encoding="utf-8"))
    _write(root / _WEB_OVERRIDE, (GUEST / "web-override.conf").read_text(encoding="utf-8"))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
