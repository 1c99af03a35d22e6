"""A person's data as files that any program reads: what `hearthbeat export` writes.

One CSV file for each channel of each wearable, with the columns that `hearthbeat assess` reads (see recordings.py), and
the flags of Quality; alerts and assessments as JSON lines. Times are seconds since 1970 UTC.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, TextIO

from edge.errors import RecordingError, WrongUseError
from edge.readings import CHANNELS, RAW_CHANNELS, Channel, Risk
from edge.recordings import KINDS, TIME
from edge.store.store import Store

# Samples of so much time are in memory at once: of raw channels up to half a million. Our choice.
_RAW_STRETCH_S: Final = 3600.0
_STRETCH_S: Final = 30 * 86_400.0
_QUALITY: Final = "quality"
# Times are told to the microsecond: finer than any wearable's clock.
_DIGITS: Final = 6
_MOST: Final = 2**31
# What a column of so many of a unit is called.
_COLUMNS: Final = {"%": "percent", "mg/dL": "mg_dl", "°C": "celsius", "µV": "uv"}


@dataclass(frozen=True, slots=True)
class Exported:
    """A file that was written, and how many lines of data are in it."""

    path: Path
    lines: int


def export_person(store: Store, person: str, folder: Path) -> list[Exported]:
    """Write all that is kept of `person` into `folder`, which only this user may read.

    Raises WrongUseError where nothing is kept, RecordingError where a file cannot be written, and StoreError.
    """
    if person not in store.people():
        mend = f"use {' or '.join(store.people())}" if store.people() else "wait until something is stored"
        raise WrongUseError(f"nothing is kept of {person!r}", where="PERSON", mend=mend)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _refused(error, folder) from error
    written = [
        _write_channel(store, person, channel, device, folder)
        for channel in Channel
        for device in store.signals.devices(person, channel, float("-inf"))
    ]
    alerts = [asdict(alert) for alert in reversed(store.alerts.alerts(_MOST)) if alert.person == person]
    written.append(_write_lines(folder / "alerts.jsonl", alerts))
    for risk in Risk:
        assessments = reversed(store.assessments.recent_assessments(person, risk, _MOST))
        written.append(_write_lines(folder / f"assessments_{risk}.jsonl", map(asdict, assessments)))
    return [exported for exported in written if exported.lines or not _discard(exported.path)]


def _write_channel(store: Store, person: str, channel: Channel, device: str, folder: Path) -> Exported:
    name, columns = _format(channel)
    path = folder / f"{name}_{device.replace(':', '-')}.csv"
    lines = 0
    with _writing(path) as file:
        writer = csv.writer(file)
        writer.writerow((TIME, *columns, _QUALITY))
        for begin, end in _stretches(store, person, channel, device):
            series = store.signals.series(person, channel, begin, end, device)
            values = series.values.reshape(-1, CHANNELS[channel].axes)
            digits = max(0, len(f"{CHANNELS[channel].resolution:.10f}".rstrip("0").partition(".")[2]))
            for time, row, flags in zip(series.times.tolist(), values.tolist(), series.quality.tolist(), strict=True):
                writer.writerow((round(time, _DIGITS), *(round(value, digits) for value in row), flags))
            lines += len(series.times)
    return Exported(path, lines)


def _format(channel: Channel) -> tuple[str, Sequence[str]]:
    """The name of a channel's files, and the columns of its values."""
    for name, kind in KINDS.items():
        if kind.channel is channel:
            return name, kind.columns
    unit = CHANNELS[channel].unit
    return channel.value, (_COLUMNS.get(unit, unit.lower()),)


def _stretches(store: Store, person: str, channel: Channel, device: str) -> Iterator[tuple[float, float]]:
    """Stretches of time that together hold all samples of a wearable's channel, and none twice."""
    span = store.signals.span(person, channel, device)
    if span is None:
        return
    step_s = _RAW_STRETCH_S if channel in RAW_CHANNELS else _STRETCH_S
    begin, last = span[0] - 1.0, span[1]
    while begin < last:
        yield begin, begin + step_s
        begin += step_s


def _write_lines(path: Path, lines: Iterable[object]) -> Exported:
    count = 0
    with _writing(path) as file:
        for line in lines:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            count += 1
    return Exported(path, count)


def _discard(path: Path) -> bool:
    path.unlink()
    return True


@contextmanager
def _writing(path: Path) -> Iterator[TextIO]:
    """A file for this user alone, that appears only when it is whole."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        aside.touch(mode=0o600)
        with aside.open("w", encoding="utf-8", newline="") as file:
            yield file
        aside.replace(path)
    except OSError as error:
        raise _refused(error, path) from error
    finally:
        aside.unlink(missing_ok=True)


def _refused(error: OSError, path: Path) -> RecordingError:
    return RecordingError(error.strerror or str(error), where=str(path), mend="give a folder that can be written")
