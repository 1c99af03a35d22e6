"""hearthbeat.toml: what is right is understood, what is wrong is refused in one line that says where."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.errors import SettingsError
from edge.settings.contacts import contact_of, read_secret
from edge.settings.home import load_settings

GOOD = """
[home]
id = "our-home"
state_directory = "state"

[[people]]
id = "anna"
name = "Anna"
contacts = ["annas-phone"]
[[people.wearables]]
address = "a0:9e:1a:00:00:01"
name = "chest strap"

[[contacts]]
id = "annas-phone"
url_file = "annas-phone.url"

[broker]
host = "broker.example"
username = "our-home"
password_file = "broker.password"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "hearthbeat.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_paths_are_taken_from_the_files_folder(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, GOOD))
    assert settings.home.state_directory == tmp_path / "state"
    assert settings.people[0].wearables[0].address == "A0:9E:1A:00:00:01"
    assert settings.broker is not None
    assert settings.broker.password_file == tmp_path / "broker.password"
    assert settings.broker.tls


def test_secrets_come_from_systemd_credentials_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "annas-phone.url").write_text("json://127.0.0.1:1/\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    settings = load_settings(write(tmp_path, GOOD))
    assert contact_of(settings.contacts[0]).channels[0].url == "json://127.0.0.1:1/"


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ('name = "Anna"', 'nmae = "Anna"', "people.1.nmae: unknown field"),
        ('id = "our-home"', 'id = "our/home"', "home.id"),
        ('contacts = ["annas-phone"]', 'contacts = ["bobs-phone"]', "bobs-phone"),
        ('id = "our-home"', 'id = "our-home"\ncontacts = ["bobs-phone"]', "home names contact bobs-phone"),
        ('name = "Anna"', 'name = "Anna"\nfaults = { not_worn_h = -1.0 }', "people.1.faults.not_worn_h"),
        ('name = "Anna"', 'name = "Anna"\nfaults = { away_h = { pulse = 1.0 } }', "people.1.faults.away_h.pulse"),
        ("a0:9e:1a:00:00:01", "a0:9e:1a", "people.1.wearables.1.address"),
        ('host = "broker.example"', "", "broker.host"),
        ('host = "broker.example"', 'host = "broker.example"\nport = 70000', "broker.port"),
        ('url_file = "annas-phone.url"', "", "give either url or url_file"),
        ("[home]", "[home", "not valid TOML"),
        ("[broker]", "[store]\ncommit_interval_s = 60.0\n[broker]", "store.commit_interval_s"),
    ],
)
def test_a_wrong_line_is_told_in_one_line(tmp_path: Path, right: str, wrong: str, told: str) -> None:
    path = write(tmp_path, GOOD.replace(right, wrong))
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    line = str(caught.value)
    assert told in line
    assert str(path) in line
    assert "\n" not in line
    assert caught.value.exit_code == 2


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        load_settings(tmp_path / "hearthbeat.toml")


def test_two_people_cannot_wear_the_same_wearable(tmp_path: Path) -> None:
    person = GOOD[GOOD.index("[[people]]") : GOOD.index("[[contacts]]")]
    with pytest.raises(SettingsError, match="A0:9E:1A:00:00:01 is there twice"):
        load_settings(write(tmp_path, GOOD + person.replace('"anna"', '"bert"')))


def test_an_error_never_shows_a_secret(tmp_path: Path) -> None:
    text = GOOD.replace('url_file = "annas-phone.url"', 'url = "tgram://SECRET/1"\nurl_file = "x"')
    with pytest.raises(SettingsError) as caught:
        load_settings(write(tmp_path, text))
    assert "SECRET" not in str(caught.value)


def test_an_empty_or_missing_secret_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(SettingsError, match="secret is empty"):
        read_secret(tmp_path / "empty")
    with pytest.raises(SettingsError, match="secret cannot be read"):
        read_secret(tmp_path / "absent")


def test_the_local_broker_is_a_broker_with_its_own_defaults(tmp_path: Path) -> None:
    table = '\n[home_assistant]\nhost = "ha.local"\npassword_file = "ha.password"\nanswers_as = "annas-phone"\n'
    settings = load_settings(write(tmp_path, GOOD + table))
    assert settings.home_assistant is not None
    assert (settings.home_assistant.port, settings.home_assistant.tls) == (1883, False)
    assert settings.home_assistant.connection["password_file"] == tmp_path / "ha.password"
    for wrong in (table.replace("annas-phone", "nobody"), table + 'discovery_prefix = "a/#"\n'):
        with pytest.raises(SettingsError, match=r"nobody|discovery_prefix"):
            load_settings(write(tmp_path, GOOD + wrong))
