"""Model packages: what is not as its maker signed it is refused, and leads nowhere."""

from __future__ import annotations

import hashlib
import io
import json
import ssl
import tarfile
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from cloud_sync.packages import (
    FILES,
    Label,
    Package,
    download,
    is_part,
    make_package,
    part_of,
    read_label,
    read_package,
    unpacked,
    version_of,
)
from cloud_sync.signing import COMMAND, PACKAGE, sign
from edge.errors import RejectedError
from edge.readings import Risk
from edge.risks.catalogue import MODELS
from tests.fakes.certificates import Authority

MAKER = SigningKey(bytes(range(32)))
KEYS = {"maker": MAKER.verify_key}
REAL = make_package(MODELS / "atrial_fibrillation", "maker", MAKER, Risk.ATRIAL_FIBRILLATION, "3.0")


def label_of(content: bytes, **changes: Any) -> Label:
    """The label of any content."""
    fields = {
        "v": 1,
        "risk": "fall",
        "version": "1.0",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "part_size": 16384,
        "parts": [hashlib.sha256(content[at : at + 16384]).hexdigest() for at in range(0, len(content), 16384)],
    }
    return Label.model_validate({**fields, **changes})


def tar(members: Mapping[str, bytes], **changes: Any) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as file:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for field, value in changes.items():
                setattr(member, field, value)
            file.addfile(member, io.BytesIO(content))
    return written.getvalue()


def test_a_real_package_comes_out_as_it_went_in() -> None:
    again = make_package(MODELS / "atrial_fibrillation", "maker", MAKER, Risk.ATRIAL_FIBRILLATION, "3.0")
    assert again == REAL == read_package(REAL.file())
    label = read_label(REAL.label, KEYS)
    files = unpacked(REAL.content, label)
    assert files == {name: (MODELS / "atrial_fibrillation" / name).read_bytes() for name in FILES}
    parts = [part_of(REAL.content, label, number) for number in range(len(label.parts))]
    assert b"".join(parts) == REAL.content
    assert all(is_part(part, label, number) for number, part in enumerate(parts))
    assert not is_part(parts[0], label, 1)


@given(st.data())
def test_a_damaged_part_is_known(data: st.DataObject) -> None:
    label = read_label(REAL.label, KEYS)
    number = data.draw(st.integers(0, len(label.parts) - 1))
    part = bytearray(part_of(REAL.content, label, number))
    place = data.draw(st.integers(0, len(part) - 1))
    part[place] ^= 1 << data.draw(st.integers(0, 7))
    assert not is_part(bytes(part), label, number)
    assert not is_part(bytes(part[:place]), label, number)


def test_a_label_is_what_its_maker_signed() -> None:
    words = read_label(REAL.label, KEYS).model_dump_json().encode()
    for payload in (
        sign(PACKAGE, "maker", words, SigningKey(bytes(32))),
        sign(PACKAGE, "stranger", words, MAKER),
        sign(COMMAND, "maker", words, MAKER),
        sign(PACKAGE, "maker", words.replace(b'"v":1', b'"v":2'), MAKER),
        sign(PACKAGE, "maker", words.replace(b"atrial_fibrillation", b"arthritis"), MAKER),
        sign(PACKAGE, "maker", words.replace(b'"3.0"', b'"../../etc"'), MAKER),
        sign(PACKAGE, "maker", words.replace(b'"part_size":16384', b'"part_size":8192'), MAKER),
        REAL.label[:-1],
        b"",
    ):
        with pytest.raises(RejectedError):
            read_label(payload, KEYS)


@pytest.mark.parametrize("name", ["../manifest.json", "/etc/passwd", "a/card.md", "manifest.json/..", "other", "."])
def test_pain_of_a_name_that_leads_elsewhere(name: str) -> None:
    content = tar({**dict.fromkeys(FILES, b"x"), name: b"x"})
    with pytest.raises(RejectedError, match="no package holds"):
        unpacked(content, label_of(content))


@pytest.mark.parametrize(
    "content",
    [
        tar({"manifest.json": b"x", "card.md": b"x"}),
        tar({"manifest.json": b"x", "card.md": b"x", "model.tflite": bytes(FILES["model.tflite"] + 1)}),
        tar(dict.fromkeys(FILES, b""), type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        tar(dict.fromkeys(FILES, b""), type=tarfile.LNKTYPE, linkname="manifest.json"),
        tar(dict.fromkeys(FILES, b""), type=tarfile.DIRTYPE),
        tar(dict.fromkeys(FILES, b""), type=tarfile.GNUTYPE_SPARSE),
        tar(dict.fromkeys(FILES, b"x"))[:700],
        b"noise",
        bytes(2048),
    ],
)
def test_what_is_no_package_is_refused(content: bytes) -> None:
    with pytest.raises(RejectedError):
        unpacked(content, label_of(content))


@given(st.binary(max_size=3000))
def test_noise_is_no_package(content: bytes) -> None:
    if content:
        with pytest.raises(RejectedError):
            unpacked(content, label_of(content))


def test_what_is_too_large_gets_no_label(tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "model.tflite").write_bytes(bytes(FILES["model.tflite"] + 1))
    with pytest.raises(RejectedError, match="too large"):
        make_package(tmp_path, "maker", MAKER, Risk.FALL, "1.0")
    words = json.loads(read_label(REAL.label, KEYS).model_dump_json())
    words["size"] = 10**9
    with pytest.raises(RejectedError):
        read_label(sign(PACKAGE, "maker", json.dumps(words).encode(), MAKER), KEYS)


def test_versions_are_compared_by_their_numbers() -> None:
    assert version_of("2.10") > version_of("2.9-7eaf62ba") > version_of("2") > version_of("nonsense") == ()


class Server(BaseHTTPRequestHandler):
    content = b""
    redirects: str | None = None

    def do_GET(self) -> None:
        self.send_response(302 if self.redirects else 200)
        if self.redirects:
            self.send_header("Location", self.redirects)
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[HTTPServer, ssl.SSLContext]]:
    authority = Authority(tmp_path_factory.mktemp("certificates"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("server"))
    listening = HTTPServer(("127.0.0.1", 0), Server)
    listening.socket = context.wrap_socket(listening.socket, server_side=True)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield listening, ssl.create_default_context(cafile=authority.ca_file)
    listening.shutdown()
    thread.join(20.0)
    listening.server_close()


def test_a_package_is_downloaded_whole_from_whom_it_is_trusted(server: tuple[HTTPServer, ssl.SSLContext]) -> None:
    listening, trusting = server
    url = f"https://127.0.0.1:{listening.server_port}/package"
    label = read_label(REAL.label, KEYS)
    Server.content, Server.redirects = REAL.content, None
    assert download(url, label, trusting) == REAL.content
    with pytest.raises(RejectedError, match="certificate"):
        download(url, label)
    for content in (REAL.content[:-1], REAL.content + bytes(10**6), b"", bytes(len(REAL.content))):
        Server.content = content
        with pytest.raises(RejectedError, match="another file"):
            download(url, label, trusting)
    Server.content, Server.redirects = REAL.content, url
    with pytest.raises(RejectedError, match="302"):
        download(url, label, trusting)
    for bad in (
        "http://127.0.0.1/x",
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "https://127.0.0.1:1/x",
        "https://[/x",
    ):
        with pytest.raises(RejectedError):
            download(bad, label, trusting)


def test_a_package_is_its_label_and_its_content() -> None:
    assert read_package(b"label") == Package(b"label", b"")
