"""[[contacts]]: several channels, quiet hours, a limit; and nonsense refused in one line that says where."""

from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest

from edge.cli import main
from edge.errors import SettingsError
from edge.notify.phone import MOST_PER_HOUR, TIMEOUT_S, Contact, PhoneChannel
from edge.notify.quiet import QuietHours
from edge.settings.contacts import contact_of
from edge.settings.home import load_settings
from tests.conftest import CHECKOUT

PEOPLE = '[[people]]\nid = "anna"\ncontacts = ["mum"]\n[[contacts]]\nid = "mum"\n'


def write(folder: Path, contact: str) -> Path:
    path = folder / "hearthbeat.toml"
    path.write_text(PEOPLE + contact)
    return path


def test_a_contact_has_several_channels_in_order_a_language_quiet_hours_and_a_limit(tmp_path: Path) -> None:
    (tmp_path / "mail.url").write_text("mailtos://me:secret@example.org\n")
    contact = (
        'name = "Mum"\nlanguage = "zh"\nmost_per_hour = 3\nquiet_hours = {from = "22:00", to = "07:00"}\n'
        '[[contacts.channels]]\nurl = "ntfys://ntfy.example/mum"\ntimeout_s = 8\n'
        '[[contacts.channels]]\nurl_file = "mail.url"\n'
    )
    (settings,) = load_settings(write(tmp_path, contact)).contacts
    assert contact_of(settings) == Contact(
        "mum",
        (PhoneChannel("ntfys://ntfy.example/mum", 8.0), PhoneChannel("mailtos://me:secret@example.org", TIMEOUT_S)),
        "zh",
        QuietHours(time(22), time(7)),
        3,
    )
    inline = 'channels = [{url = "ntfys://ntfy.example/mum"}, {url_file = "mail.url", timeout_s = 60}]\n'
    (settings,) = load_settings(write(tmp_path, inline)).contacts
    assert [(channel.scheme, channel.timeout_s) for channel in contact_of(settings).channels] == [
        ("ntfys", TIMEOUT_S),
        ("mailtos", 60.0),
    ]


def test_one_url_is_still_one_channel(tmp_path: Path) -> None:
    (settings,) = load_settings(write(tmp_path, 'url = "json://127.0.0.1:1"\n')).contacts
    assert contact_of(settings) == Contact("mum", (PhoneChannel("json://127.0.0.1:1"),), "en", None, MOST_PER_HOUR)


def test_the_example_that_comes_with_hearthbeat_is_right() -> None:
    settings = load_settings(CHECKOUT / "systemd" / "hearthbeat.toml")
    assert [contact.id for contact in settings.contacts] == ["parent-phone", "family-phone"]


@pytest.mark.parametrize(
    ("contact", "told"),
    [
        ("", "contacts.1: give either url or url_file, or channels"),
        ("channels = []", "contacts.1: give either url or url_file, or channels"),
        ('url = "json://x"\nchannels = [{url = "json://y"}]', "give either url or url_file, or channels"),
        ("channels = [{}]", "contacts.1.channels.1: give either url or url_file"),
        ('channels = [{url = "json://x", url_file = "y"}]', "channels.1: give either url or url_file"),
        ('channels = [{url = "json://x", retries = 3}]', "contacts.1.channels.1.retries: unknown field"),
        ('channels = [{url = "json://x", timeout_s = 0}]', "contacts.1.channels.1.timeout_s"),
        ('url = "json://x"\nlanguage = "tlh"', "contacts.1.language"),
        ('url = "json://x"\nmost_per_hour = 0', "contacts.1.most_per_hour"),
        ('url = "json://x"\nquiet_hours = {from = "22:00", to = "25:00"}', "'25:00' is no time of the day"),
        ('url = "json://x"\nquiet_hours = {from = "10 pm", to = "07:00"}', "'10 pm' is no time of the day"),
        ('url = "json://x"\nquiet_hours = {from = "22:00", to = "22:00"}', "quiet hours that end when they begin"),
        ('url = "json://x"\nquiet_hours = {from = "22:00"}', "contacts.1.quiet_hours.to"),
        ('url = "json://x"\nquiet_hours = "at night"', "contacts.1.quiet_hours"),
    ],
)
def test_nonsense_is_refused_in_one_line(tmp_path: Path, contact: str, told: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        load_settings(write(tmp_path, contact))
    (line,) = str(refusal.value).splitlines()
    assert told in line


def test_a_secret_is_in_no_refusal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write(tmp_path, 'channels = [{url = "json://s3cret", timeout_s = "soon"}]')
    assert main(["status", "--config", str(config)]) == 2
    assert "s3cret" not in "".join(capsys.readouterr())
