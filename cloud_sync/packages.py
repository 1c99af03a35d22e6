"""Model packages: one model's files, signed by its maker, named by their content and sent in parts.

A package's content is an uncompressed tar of manifest.json, model.tflite and card.md; its name is the content's
SHA-256. Its label says so, with the risk, the version and the SHA-256 of each part, and is signed (see signing.py), so
that every part can be judged as it comes. Parts lie retained on hearthbeat/models/v1/<name>/<number>, for all homes
alike; or the whole content lies at an https URL. A package's file is the label, a line feed and the content.
"""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import ssl
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import structlog
from nacl.signing import SigningKey, VerifyKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cloud_sync.messages import Home, Kind, Topic
from cloud_sync.messages.bodies import ModelMessage
from cloud_sync.signing import PACKAGE, opened, sign
from edge.errors import RejectedError
from edge.notices import OutboxMessage, Priority
from edge.readings import Risk
from edge.store.model_updates import Update

VERSION: Final = 1
# Our choice: a sixteenth of what our broker's client takes in one packet.
PART_SIZE: Final = 16 * 1024
# The files and how large each may be, bytes. A model of ours has 40 kB, its manifest 10 kB, its card 17 kB.
FILES: Final[Mapping[str, int]] = {"manifest.json": 64 * 1024, "model.tflite": 64 * 1024, "card.md": 128 * 1024}
# The files, a header of 512 bytes and up to as much padding each, and the two blocks (filled up to 10 kB) of the end.
MOST_BYTES: Final = sum(FILES.values()) + 3 * 1024 + 10 * 1024
MOST_PARTS: Final = -(-MOST_BYTES // PART_SIZE)
# A download may wait so long for anything to come, and take so long in all, s. Our choice.
QUIET_S: Final = 10.0
DOWNLOAD_S: Final = 60.0
_TOPIC: Final = "hearthbeat/models/v1"
# What the format of a message takes, in characters (cloud_sync.messages.bodies).
_LONGEST_SENTENCE: Final = 1000
# Such as 2.0-7eaf62ba: numbers that grow, then what tells two makings of one version apart.
_VERSION_TEXT: Final = re.compile(r"(\d{1,6}(?:\.\d{1,6}){0,3})(?:-[0-9a-z]{1,16})?")

_log = structlog.get_logger("models")

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Label(BaseModel):
    """What a package is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    v: Literal[1]
    risk: Risk = Field(title="what its model watches for")
    version: str = Field(max_length=32, pattern=f"^{_VERSION_TEXT.pattern}$", title="the model's version")
    sha256: Sha256 = Field(title="SHA-256 of the content, the package's name")
    size: int = Field(ge=1, le=MOST_BYTES, title="bytes of the content")
    part_size: int = Field(ge=1024, le=PART_SIZE, title="bytes of each part but the last")
    parts: list[Sha256] = Field(min_length=1, max_length=16 * MOST_PARTS, title="SHA-256 of each part")

    def part_bytes(self, number: int) -> int:
        """How many bytes a part has."""
        return min(self.part_size, self.size - number * self.part_size)

    def topics(self) -> list[str]:
        """Where the parts lie."""
        return [f"{_TOPIC}/{self.sha256}/{number}" for number in range(len(self.parts))]


@dataclass(frozen=True, slots=True)
class Package:
    """A label as it was signed, and the content."""

    label: bytes
    content: bytes

    def file(self) -> bytes:
        """The package as a file."""
        return self.label + b"\n" + self.content


def make_package(folder: Path, key: str, secret: SigningKey, risk: Risk, version: str) -> Package:
    """The package of the model in a folder, the same whenever it is made; raises OSError, RejectedError."""
    content = _packed({name: (folder / name).read_bytes() for name in FILES})
    parts = [content[start : start + PART_SIZE] for start in range(0, len(content), PART_SIZE)]
    try:
        label = Label(
            v=VERSION,
            risk=risk,
            version=version,
            sha256=hashlib.sha256(content).hexdigest(),
            size=len(content),
            part_size=PART_SIZE,
            parts=[hashlib.sha256(part).hexdigest() for part in parts],
        )
    except ValidationError as error:
        raise RejectedError(_first(error), reason="package", where=str(folder)) from error
    return Package(sign(PACKAGE, key, label.model_dump_json().encode(), secret), content)


def read_package(file: bytes) -> Package:
    """The package in a file, unjudged."""
    label, _, content = file.partition(b"\n")
    return Package(label, content)


def read_label(envelope: bytes, keys: Mapping[str, VerifyKey]) -> Label:
    """The label that one of `keys` has signed; raises RejectedError."""
    signed = opened(PACKAGE, envelope, keys)
    try:
        label = Label.model_validate_json(signed.words)
    except ValidationError as error:
        raise RejectedError(_first(error), reason="package", key=signed.key, where="a package's label") from error
    if len(label.parts) != -(-label.size // label.part_size):
        raise RejectedError("its parts do not make its size", reason="package", where="a package's label")
    return label


def version_of(text: str) -> tuple[int, ...]:
    """The numbers of a version, to be compared; () where it has none, which is older than any."""
    found = _VERSION_TEXT.fullmatch(text)
    return () if found is None else tuple(int(part) for part in found[1].split("."))


def part_of(content: bytes, label: Label, number: int) -> bytes:
    """One part of a content."""
    return content[number * label.part_size :][: label.part_size]


def is_part(payload: bytes, label: Label, number: int) -> bool:
    """Whether that is the part, whole and unchanged."""
    return len(payload) == label.part_bytes(number) and hashlib.sha256(payload).hexdigest() == label.parts[number]


def unpacked(content: bytes, label: Label) -> dict[str, bytes]:
    """The files of a content; raises RejectedError where it is not what the label says, or holds anything else.

    Nothing is written: names are compared with those that there are, so that none can lead elsewhere.
    """
    if len(content) != label.size or hashlib.sha256(content).hexdigest() != label.sha256:
        raise RejectedError("not what its label says", reason="package", where="a package")
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
            for member in tar:
                if member.type != tarfile.REGTYPE or member.name not in FILES or member.name in files:
                    raise RejectedError("it holds what no package holds", reason="package", where="a package")
                if member.size > FILES[member.name]:
                    raise RejectedError(f"its {member.name} is too large", reason="package", where="a package")
                file = tar.extractfile(member)
                files[member.name] = b"" if file is None else file.read()
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise RejectedError("it cannot be unpacked", reason="package", where="a package") from error
    if files.keys() != FILES.keys():
        raise RejectedError("a file of it is missing", reason="package", where="a package")
    return files


def download(
    url: str, label: Label, context: ssl.SSLContext | None = None, *, stopping: Callable[[], bool] = lambda: False
) -> bytes:
    """The content at an https URL, whole and unchanged; raises RejectedError, and goes where no redirect leads.

    The server's certificate is checked by `context`, or by the system's authorities. It ends soon after `stopping`.
    """
    opener = urllib.request.OpenerDirector()
    opener.add_handler(urllib.request.HTTPSHandler(context=context or ssl.create_default_context()))
    opener.add_handler(urllib.request.HTTPErrorProcessor())
    opener.add_handler(urllib.request.HTTPDefaultErrorHandler())
    opener.add_handler(urllib.request.UnknownHandler())
    limit = time.monotonic() + DOWNLOAD_S
    content = bytearray()
    try:
        with opener.open(url, timeout=QUIET_S) as answer:
            while len(content) <= label.size and (piece := answer.read1(PART_SIZE)):
                content += piece
                if stopping() or time.monotonic() > limit:
                    raise RejectedError("it takes too long", reason="download", where="a package")
    except urllib.error.HTTPError as error:
        error.close()
        raise RejectedError(f"the server answers {error.code}", reason="download", where="a package") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
        raise RejectedError(f"cannot be downloaded: {reason}", reason="download", where="a package") from error
    if len(content) != label.size or hashlib.sha256(content).hexdigest() != label.sha256:
        raise RejectedError("what the server has is another file", reason="download", where="a package")
    return bytes(content)


def _packed(files: Mapping[str, bytes]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in files.items():
            if len(content) > FILES[name]:
                raise RejectedError(f"{name} is too large", reason="package", where="a package")
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            tar.addfile(member, io.BytesIO(content))
    return written.getvalue()


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc']) or 'it'}: {first['msg']}"


def model_message(home: Home, update: Update, figures: Mapping[str, float | int | str | None]) -> OutboxMessage:
    """The message that tells where a package stands."""
    identifier = home.pseudonyms.message("model", update.package, update.state, repr(update.since))
    message = ModelMessage(
        id=identifier,
        package=update.package,
        risk=Risk(update.risk),
        version=update.version,
        state=update.state,
        at=update.since,
        reason=update.reason[:_LONGEST_SENTENCE] or None,
        figures={name: value for name, value in figures.items() if value is not None},
    )
    return home.tell(Topic(home.id, Kind.MODEL), message, identifier, Priority.FAULT, update.since)


class PartsFolder:
    """Parts of packages on disk: they come in the publisher's thread, and are asked for in the daemon's.

    A part that is not as the label says is counted and left out; one that is there stays over a restart.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._wanted: dict[str, tuple[Label, int]] = {}
        self.damaged = 0

    def want(self, labels: Iterable[Label]) -> frozenset[str]:
        """Take parts of these packages only; the topics on which those lie that are missing."""
        self._wanted = {label.topics()[number]: (label, number) for label in labels for number in self.missing(label)}
        return frozenset(self._wanted)

    def take(self, topic: str, payload: bytes) -> None:
        """Keep a part that is wanted and whole; one that the disk refuses is asked for again, as a damaged one is."""
        label, number = self._wanted.get(topic, (None, 0))
        if label is None:
            return
        if not is_part(payload, label, number):
            self.damaged += 1
            return
        path = self._path(label, number)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".partial")
            partial.write_bytes(payload)
            partial.replace(path)
        except OSError as error:
            _log.warning("a part is not kept", error=error.strerror)

    def missing(self, label: Label) -> list[int]:
        """The parts that are not there yet."""
        return [number for number in range(len(label.parts)) if not self._path(label, number).exists()]

    def content(self, label: Label) -> bytes:
        """All parts together; what a power cut has left of one is thrown away. Raises RejectedError, OSError."""
        parts = []
        for number in range(len(label.parts)):
            path = self._path(label, number)
            parts.append(path.read_bytes())
            if not is_part(parts[-1], label, number):
                path.unlink()
                raise RejectedError("a part of it is damaged on the disk", reason="package", where="a package")
        return b"".join(parts)

    def tidy(self, wanted: Iterable[str]) -> None:
        """Take away the parts of packages that are not wanted any more, by their names."""
        kept = set(wanted)
        for path in self._folder.glob("*"):
            if path.name not in kept:
                shutil.rmtree(path, ignore_errors=True)

    def _path(self, label: Label, number: int) -> Path:
        return self._folder / label.sha256 / str(number)
