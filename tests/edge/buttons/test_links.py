"""Links: what is signed is read back, and nothing else is; the key is the home's, and whole."""

from __future__ import annotations

import base64
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.buttons import links
from edge.buttons.links import LIFE_S, SET_BACK_S, Link, home_key, new_link, read_token, write_token
from edge.errors import StoreError
from edge.notices import Button

KEY = bytes(range(32))
NOW = 1_800_000_000.0
UUID = "0b8b6c4e-58c5-5d3a-9b0e-3f0d6c1f2a11"

made_links = st.builds(
    Link,
    alert=st.uuids().map(str) | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
    button=st.sampled_from(Button),
    contact=st.from_regex(r"[a-z0-9][a-z0-9_-]{0,31}", fullmatch=True),
    expires=st.integers(0, 2**32 - 1),
    nonce=st.binary(min_size=12, max_size=12),
)


@given(made_links)
def test_what_is_written_is_read(link: Link) -> None:
    token = write_token(KEY, link)
    assert read_token(KEY, token) == link
    assert len(token) <= links.LONGEST_TOKEN


@given(made_links, st.data())
def test_any_flipped_bit_is_refused(link: Link, data: st.DataObject) -> None:
    token = write_token(KEY, link)
    sealed = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    place = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[place // 8] ^= 1 << place % 8
    assert read_token(KEY, base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()) is None
    written = bytearray(token.encode())
    place = data.draw(st.integers(0, len(written) * 8 - 1))
    written[place // 8] ^= 1 << place % 8
    assert read_token(KEY, written.decode("latin-1")) is None, "nor may the same be written in another way"


@given(
    st.text() | st.text("abcXYZ0189-_=+/ \n", max_size=200) | made_links.map(lambda link: write_token(KEY, link)[:-1])
)
def test_what_is_no_token_is_refused(text: str) -> None:
    assert read_token(KEY, text) is None


@given(made_links)
def test_no_other_key_and_no_more_or_less_of_a_token_will_do(link: Link) -> None:
    token = write_token(KEY, link)
    assert read_token(KEY[::-1], token) is None
    assert read_token(KEY, token + "A") is None
    assert read_token(KEY, token + "=") is None
    assert read_token(KEY, token[4:]) is None


def test_a_changed_action_contact_alert_or_expiry_has_another_code() -> None:
    link = new_link(UUID, Button.SNOOZE, "bert", NOW)
    code = base64.urlsafe_b64decode(write_token(KEY, link) + "==")[-32:]
    for changed in (
        replace(link, button=Button.ACKNOWLEDGE),
        replace(link, contact="anna"),
        replace(link, alert=UUID[::-1]),
        replace(link, expires=link.expires + 1),
    ):
        forged = base64.urlsafe_b64decode(write_token(b"guessed" * 5, changed) + "===")[:-32] + code
        assert read_token(KEY, base64.urlsafe_b64encode(forged).rstrip(b"=").decode()) is None


def test_an_id_cannot_slide_into_its_neighbour() -> None:
    one, other = (Link("ert", Button.FINE, "b", 1, bytes(12)), Link("t", Button.FINE, "ber", 1, bytes(12)))
    assert write_token(KEY, one) != write_token(KEY, other)


def test_a_link_is_good_for_its_life_whatever_the_clock_does() -> None:
    link = new_link(UUID, Button.ACKNOWLEDGE, "anna", NOW)
    assert link.is_good(NOW)
    assert link.is_good(NOW + LIFE_S - 1.0)
    assert not link.is_good(NOW + LIFE_S)
    assert link.is_good(NOW - 60.0), "a clock that is set right has made no link bad"
    assert not link.is_good(NOW - SET_BACK_S - 1.0), "but none lives for days because a clock was set back"


def test_no_two_links_are_alike() -> None:
    made = {write_token(KEY, new_link(UUID, Button.FINE, "anna", NOW)) for _ in range(200)}
    assert len(made) == 200


def test_the_key_is_made_once_for_this_user_alone(tmp_path: Path) -> None:
    key = home_key(tmp_path)
    assert len(key) == 32
    assert home_key(tmp_path) == key
    path = tmp_path / links.KEY_NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    assert home_key(tmp_path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == [links.KEY_NAME]


@pytest.mark.parametrize("damaged", [b"", b"short", bytes(33)])
def test_a_damaged_key_is_replaced_by_a_whole_one(tmp_path: Path, damaged: bytes) -> None:
    (tmp_path / links.KEY_NAME).write_bytes(damaged)
    (tmp_path / f"{links.KEY_NAME}.partial").write_bytes(b"of a start that was cut off")
    key = home_key(tmp_path)
    assert len(key) == 32
    assert key.count(0) < 32
    assert home_key(tmp_path) == key


def test_a_key_that_can_be_neither_read_nor_made_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file"):
        home_key(tmp_path / "nowhere")
    (tmp_path / links.KEY_NAME).symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").write_bytes(KEY)
    with pytest.raises(StoreError, match="symbolic links"):
        home_key(tmp_path)
