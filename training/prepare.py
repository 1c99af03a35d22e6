"""Check the recordings against what their publishers describe, fetch what is missing, and convert what needs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from sys import stderr
from typing import Final

import wfdb

from edge.errors import RecordingError
from training.corpora import sisfall, umafall
from training.corpora.motion import PREPARED
from training.recipe import Recipe
from training.work import say, watch

Figures = dict[str, dict[str, float | str]]


@dataclass(frozen=True, slots=True)
class Published:
    """What a publisher says that a data set holds, and where it is; `endings` are of the files that are read of it.

    `physionet` is its name there, None where wfdb cannot fetch it.
    """

    people: int
    source: str
    recordings: int | None = None
    physionet: str | None = None
    endings: tuple[str, ...] = ()


# The counts are those of the publishers' pages; a set of which only a part was had is still trained on, and said to be.
PUBLISHED: Final[Mapping[str, Published]] = {
    "ltafdb": Published(84, "https://physionet.org/content/ltafdb", 84, "ltafdb", ("hea", "atr")),
    "nsr2db": Published(54, "https://physionet.org/content/nsr2db", 54, "nsr2db", ("hea", "ecg")),
    "mitdb": Published(47, "https://physionet.org/content/mitdb", 48, "mitdb", ("hea", "atr")),
    "apnea_ecg": Published(35, "https://physionet.org/content/apnea-ecg", 35, "apnea-ecg", ("hea", "apn", "qrs")),
    "hugcdn2014": Published(77, "https://doi.org/10.17632/vv6wdpbrsh.1", 77),
    "sisfall": Published(38, "http://sistemic.udea.edu.co/en/research/projects/english-falls", 38),
    "umafall": Published(19, "https://doi.org/10.6084/m9.figshare.4214283"),
    "azt1d": Published(25, "https://doi.org/10.17632/gk9m674wcx.1", 25),
    "bris_t1d_open": Published(20, "https://doi.org/10.5523/bris.33z5jc8fa6tob21ptrugzqog08", 20),
    "t1d_uom": Published(17, "https://doi.org/10.5281/zenodo.15806142", 17),
    "physiocgm": Published(9, "https://doi.org/10.6084/m9.figshare.28136294.v1", 9),
}
# Data sets whose publishers' format is not what training reads: the file that is made, and by what.
CONVERTED: Final[Mapping[str, tuple[str, Callable[[Path, Path], list[str]]]]] = {
    sisfall.NAME: (sisfall.FILE, sisfall.prepare),
    umafall.NAME: (umafall.FILE, umafall.prepare),
}


def prepare(recipes: Sequence[Recipe], data: Path, *, download: bool) -> Figures:
    """Make every corpus of the recipes ready; returns what of each is there and what is not.

    What is there already is neither fetched nor converted again. Raises RecordingError, after all others were looked
    at, when a corpus is missing or damaged.
    """
    figures: Figures = {}
    absent: list[RecordingError] = []
    for recipe in recipes:
        for corpus in dict.fromkeys((*recipe.trained_on, *recipe.reported)):
            if corpus in figures:
                continue
            try:
                figures[corpus] = _prepare(recipe, data, corpus, download=download)
            except RecordingError as error:
                absent.append(error)
                say(str(error))
    if len(absent) == 1:
        raise absent[0]
    if absent:
        raise RecordingError(
            f"{len(absent)} data sets are missing or damaged", where=str(data), mend="see the lines above"
        )
    return figures


def _prepare(recipe: Recipe, data: Path, corpus: str, *, download: bool) -> dict[str, float | str]:
    """Fetch, convert and count one corpus."""
    published = PUBLISHED.get(corpus.replace("-", "_"))
    if download and published and published.physionet:
        fetch(published, data / published.physionet)
    lacking = []
    if corpus in CONVERTED:
        file, convert = CONVERTED[corpus]
        if not (data / PREPARED / file).is_file():
            lacking = convert(data / corpus, data)
    recordings = recipe.read(data, corpus)
    people = len({one.person for one in recordings})
    found: dict[str, float | str] = {"people": people, "recordings": len(recordings)}
    if published:
        wanted = ((people, published.people, "people"), (len(recordings), published.recordings, "recordings"))
        lacking += [f"{have} of {count} {what}" for have, count, what in wanted if count is not None and have != count]
        if lacking:
            found["missing"] = f"{'; '.join(lacking)}: {published.source}"
    say(f"{corpus}: {people} people, {len(recordings)} recordings" + (", not all" if lacking else ""))
    return found


def fetch(published: Published, folder: Path) -> None:
    """Fetch the files of a PhysioNet set that are not there, or not whole; RecordingError when there is no network."""
    name = published.physionet or ""
    try:
        names = wfdb.get_record_list(name)
        folder.mkdir(parents=True, exist_ok=True)
        for record in watch(names, f"fetching {name}"):
            # wfdb prints to stdout, where the figures go.
            with redirect_stdout(stderr):
                wfdb.dl_files(name, str(folder), [f"{record}.{ending}" for ending in published.endings])
    except (OSError, ValueError) as error:
        raise RecordingError(
            f"cannot be fetched: {error}", where=published.source, mend=f"fetch it by hand into {folder}"
        ) from error
