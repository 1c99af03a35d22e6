"""The household's key: drawn once, kept by its owner, and the only thing that opens what was sealed."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from cloud_sync.messages import Home, Kind, Topic, parse, sealing
from cloud_sync.messages.bodies import Identified
from cloud_sync.messages.examples import EXAMPLES
from edge.cli import main
from edge.commands.keys import read_secret_key
from edge.errors import MessageError, Refused, SettingsError
from edge.notices import OutboxMessage, Priority
from edge.settings.home import load_settings
from edge.store.store import Store
from edge.telling.household_key import PublicKey
from edge.telling.pseudonyms import Pseudonyms
from tests.edge.settings.test_home import GOOD

TOPIC = Topic("home", Kind.ALERT, "p-k3j9x2abcd")


@pytest.fixture
def file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    path = tmp_path / "household.key"
    assert main(["keys", "new", str(path)]) == 0
    capsys.readouterr()
    return path


def sealed(key: PublicKey | None, topic: Topic = TOPIC) -> OutboxMessage:
    example = EXAMPLES[topic.kind]
    assert isinstance(example, Identified)
    home = Home("home", Pseudonyms(bytes(32)), key)
    return home.tell(topic, example, example.id, Priority.ALERT, 0.0)


def public(file: Path) -> PublicKey:
    return sealing.public_half(read_secret_key(file))


def test_a_key_is_drawn_once_for_its_owner_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "household.key"
    assert main(["keys", "new", str(path)]) == 0
    line = capsys.readouterr().out
    assert path.stat().st_mode & 0o077 == 0
    assert line == f'encrypt_to = "{public(path).text}"\n'
    before = path.read_text()
    assert main(["keys", "new", str(path)]) == 2
    assert path.read_text() == before
    assert main(["keys", "public", str(path)]) == 0
    assert capsys.readouterr().out == f"{public(path).text}\n"
    config = tmp_path / "hearthbeat.toml"
    config.write_text(f"{GOOD}{line}")
    broker = load_settings(config).broker
    assert broker is not None
    assert broker.encrypt_to == public(path)


@pytest.mark.parametrize(
    "wrong", ["", "hearthbeat-seal:", "age1qqqq", "hearthbeat-seal:AAAA", "hearthbeat-open:{secret}"]
)
def test_a_key_that_was_mistyped_seals_nothing(tmp_path: Path, file: Path, wrong: str) -> None:
    text = public(file).text
    secret = file.read_text().strip().partition(":")[2]
    swapped = text[:-3] + ("A" if text[-3] != "A" else "B") + text[-2:]
    for value in (wrong.format(secret=secret), swapped):
        config = tmp_path / "hearthbeat.toml"
        config.write_text(f'{GOOD}encrypt_to = "{value}"\n')
        with pytest.raises(SettingsError) as caught:
            load_settings(config)
        assert secret not in str(caught.value)


def test_the_key_opens_what_was_sealed_and_no_other_does(file: Path) -> None:
    message, plain = sealed(public(file)), sealed(None)
    secret = read_secret_key(file)
    opened = parse(message.topic, message.payload, secret)
    assert opened.message == EXAMPLES[Kind.ALERT]
    assert opened == parse(plain.topic, plain.payload) == parse(plain.topic, plain.payload, secret)
    with pytest.raises(MessageError) as caught:
        parse(message.topic, message.payload, sealing.new_key())
    assert caught.value.reason is Refused.SEALED


def test_the_broker_sees_topic_id_and_size_only(file: Path) -> None:
    message, plain = sealed(public(file)), sealed(None)
    assert (message.id, message.topic, message.priority) == (plain.id, plain.topic, plain.priority)
    seen = parse(message.topic, message.payload)
    assert (str(seen.id), seen.message, seen.sealed) == (plain.id, None, message.payload)
    for word in (b"atrial", b"warning", b"acknowledged", plain.payload[40:60]):
        assert word not in message.payload
    assert message.payload != sealed(public(file)).payload, "the same is never sealed alike"
    sizes = {len(sealed(public(file), topic).payload) % 256 for topic in (TOPIC, replace(TOPIC, kind=Kind.MINUTES))}
    assert len(sizes) == 1


def test_what_is_passed_off_as_another_persons_is_refused(file: Path) -> None:
    message = sealed(public(file))
    with pytest.raises(MessageError) as caught:
        parse(message.topic.replace("p-k3j9x2abcd", "p-other"), message.payload, read_secret_key(file))
    assert caught.value.reason is Refused.DISAGREES
    renamed = message.payload[:1] + bytes(16) + message.payload[17:]
    with pytest.raises(MessageError) as caught:
        parse(message.topic, renamed, read_secret_key(file))
    assert caught.value.reason is Refused.DISAGREES


@pytest.mark.parametrize("place", [17, 40, 60, 200, -1])
def test_a_sealed_payload_that_was_altered_is_refused(file: Path, place: int) -> None:
    message = sealed(public(file))
    altered = bytearray(message.payload)
    altered[place] ^= 1
    for payload in (bytes(altered), message.payload[:-1], message.payload + b"x"):
        with pytest.raises(MessageError) as caught:
            parse(message.topic, payload, read_secret_key(file))
        assert caught.value.reason is Refused.SEALED


def test_a_payload_is_opened_at_the_command_line(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    message = sealed(public(file))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(message.payload)))
    assert main(["keys", "open", str(file), message.topic]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == message.id
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"nonsense")))
    assert main(["keys", "open", str(file), message.topic]) == 2


def test_only_the_home_can_tell_who_is_who(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "hearthbeat.toml"
    config.write_text(GOOD)
    assert main(["keys", "names", "--config", str(config)]) == 2
    (tmp_path / "state").mkdir()
    with Store(load_settings(config).home.state_directory / "hearthbeat.db") as store:
        anna = store.pseudonyms.person("anna")
    capsys.readouterr()
    assert main(["keys", "names", "--config", str(config), "--json"]) == 0
    names = json.loads(capsys.readouterr().out)
    assert names[anna] in {"Anna", "anna"}
    assert all(name.startswith(("p-", "d-")) for name in names)
