"""The machine as Linux tells it: memory, disk, temperature and how long it has been up; None where it does not tell."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_MB: Final = 1024.0 * 1024.0
_KB_PER_MB: Final = 1024.0
# Thousandths of a degree (Linux, Documentation/ABI/testing/sysfs-class-thermal).
_PER_DEGREE: Final = 1000.0
# What no working processor has, degrees Celsius: sensors that are not there read so. Our bound.
_PLAUSIBLE: Final = (-40.0, 125.0)


@dataclass(frozen=True, slots=True)
class Machine:
    """Sizes in MB (2^20 bytes), times in seconds, temperature in degrees Celsius."""

    uptime_s: float | None
    disk_free_mb: float | None
    disk_total_mb: float | None
    memory_available_mb: float | None
    memory_total_mb: float | None
    memory_daemon_mb: float | None
    temperature_c: float | None


def look(folder: Path, root: Path = Path("/")) -> Machine:
    """How the machine is; `folder` is on the disk of interest, `root` has proc and sys."""
    memory = _fields(root / "proc/meminfo")
    free, total = _disk(folder)
    return Machine(
        uptime_s=_number(_text(root / "proc/uptime")),
        disk_free_mb=free,
        disk_total_mb=total,
        memory_available_mb=memory.get("MemAvailable"),
        memory_total_mb=memory.get("MemTotal"),
        memory_daemon_mb=_fields(root / "proc/self/status").get("VmRSS"),
        temperature_c=_temperature(root / "sys/class/thermal"),
    )


def _disk(folder: Path) -> tuple[float, float] | tuple[None, None]:
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None, None
    return round(usage.free / _MB, 1), round(usage.total / _MB, 1)


def _temperature(folder: Path) -> float | None:
    """The hottest of the machine's zones."""
    zones = (_number(_text(zone / "temp")) for zone in folder.glob("thermal_zone*"))
    degrees = [round(zone / _PER_DEGREE, 1) for zone in zones if zone is not None]
    return max((one for one in degrees if _PLAUSIBLE[0] <= one <= _PLAUSIBLE[1]), default=None)


def _fields(path: Path) -> dict[str, float]:
    """Lines such as `MemTotal:  994652 kB`, in MB."""
    found = {}
    for line in _text(path).splitlines():
        name, _, rest = line.partition(":")
        value = _number(rest)
        if value is not None and rest.endswith("kB"):
            found[name] = round(value / _KB_PER_MB, 1)
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def _number(text: str) -> float | None:
    first = text.split(maxsplit=1)[:1]
    try:
        return float(first[0]) if first else None
    except ValueError:
        return None
