"""Changes to hearthbeat.toml by commands: comments and order stay, and what would not be right is not written."""

from __future__ import annotations

import os
import stat
import tempfile
import tomllib
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, cast

import tomlkit
from tomlkit.container import Container
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AbstractTable, AoT, Comment, Item, Table, Whitespace

from edge.errors import SettingsError, WrongUseError
from edge.settings.home import Settings, check_settings, read_settings

# What stood in the file before the last change.
BACKUP_SUFFIX: Final = ".bak"

_Body = list[tuple[Any, Item]]
_Holder = tomlkit.TOMLDocument | AbstractTable


class SettingsFile:
    """One hearthbeat.toml that is being changed; nothing is on disk before `save`.

    Raises SettingsError, in one line, for a file that cannot be read or is no TOML.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._before = read_settings(path)
        try:
            tomllib.loads(self._before)
            self._document = tomlkit.parse(self._before.rstrip() + "\n")
        except (tomllib.TOMLDecodeError, TOMLKitError) as error:
            raise SettingsError(f"not valid TOML: {error}", where=str(path), mend="mend that line") from error

    def add_contact(self, contact: str, url_file: str) -> None:
        """A phone or mailbox whose Apprise URL is in a file."""
        self._append(self._document, "contacts", {"id": contact, "url_file": url_file})

    def add_person(self, person: str, name: str, contacts: Iterable[str]) -> None:
        """Somebody who lives here."""
        fields = {"id": person, **({"name": name} if name else {}), "contacts": list(contacts)}
        self._append(self._document, "people", fields)

    def add_wearable(self, person: str, address: str, name: str) -> None:
        """A wearable of a person, behind those that the person has. Raises WrongUseError for an unknown person."""
        for found in self._listed(self._document, "people"):
            if found.get("id") == person:
                self._append(found, "wearables", {"address": address, **({"name": name} if name else {})})
                return
        raise WrongUseError(
            f"nobody here has the id {person!r}",
            where=str(self.path),
            mend="add the person first: hearthbeat people add",
        )

    def add_shared(self, address: str, name: str, people: Iterable[str]) -> None:
        """A device that several people use; without `people`, everybody."""
        users = list(people)
        fields = {"address": address, **({"name": name} if name else {}), **({"people": users} if users else {})}
        self._append(self._document, "shared", fields)

    def remove_device(self, address: str) -> None:
        """Take a wearable or a shared device out, wherever it is named. Raises WrongUseError where it is not."""
        known = self._remove_from(self._document, "shared", address)
        for person in self._listed(self._document, "people"):
            known = self._remove_from(person, "wearables", address) or known
            self._remove_source(person, address)
        if not known:
            raise WrongUseError(
                f"no wearable has the address {address}", where=str(self.path), mend="see `hearthbeat devices list`"
            )

    def set_value(self, levels: Sequence[str], value: Any) -> None:  # noqa: ANN401 -- whatever TOML can say
        """Set a field; of lists of tables a level is an `id`, or a `name`. Raises WrongUseError where there is none."""
        table: MutableMapping[str, Any] = self._document
        rest = list(levels)
        while len(rest) > 1:
            level = rest.pop(0)
            inner = table.get(level)
            listed = inner if isinstance(inner, list) else [] if inner is None and level == "rules" else None
            if listed is not None:
                table = self._named(table, level, listed, rest.pop(0))
            elif isinstance(inner, MutableMapping):
                table = inner
            elif inner is None:
                table[level] = tomlkit.table() if table is self._document else tomlkit.inline_table()
                table = table[level]
            else:
                raise WrongUseError(f"{level} is no table", where=str(self.path), mend="name a field")
        table[rest[0]] = value

    def _named(
        self, table: MutableMapping[str, Any], level: str, listed: list[Any], name: str
    ) -> MutableMapping[str, Any]:
        """The table of a list that is called so; a rule that is not there is added, for it changes a default."""
        for one in listed:
            if isinstance(one, MutableMapping) and name in (one.get("id"), one.get("name")):
                return one
        if level == "rules" and isinstance(table, AbstractTable):
            self._append(table, level, {"name": name})
            return cast("MutableMapping[str, Any]", table[level][-1])
        raise WrongUseError(f"none of {level} is called so", where=str(self.path), mend="see the settings")

    def check(self) -> Settings:
        """The settings as they would be. Raises SettingsError where they would not be right."""
        text = tomlkit.dumps(self._document)
        settings = check_settings(text, self.path)
        if tomllib.loads(text) != self._document.unwrap():
            raise SettingsError(
                "is written in a way that no command can change", where=str(self.path), mend="change it by hand"
            )
        return settings

    def save(self) -> Settings:
        """Write the file, all or nothing, and keep the one before as a backup.

        Raises SettingsError where the settings would not be right, where somebody else has changed the file meanwhile,
        and where it cannot be written; the file is then as it was.
        """
        settings = self.check()
        path = self.path.resolve()
        if read_settings(path) != self._before:
            raise SettingsError("somebody else has changed the file meanwhile", where=str(path), mend="try again")
        text = tomlkit.dumps(self._document)
        try:
            _replace(path.with_name(path.name + BACKUP_SUFFIX), self._before, like=path)
            _replace(path, text, like=path)
        except OSError as error:
            raise SettingsError(
                f"not written: {error.strerror or error}",
                where=str(path),
                mend="run the command as the file's owner or root",
            ) from error
        self._before = text
        return settings

    def _listed(self, table: _Holder, key: str) -> list[AbstractTable]:
        """The tables of a list, [] where there is none; an odd one is left for the check to refuse."""
        listed = table.get(key)
        return [one for one in listed if isinstance(one, AbstractTable)] if isinstance(listed, list) else []

    def _append(self, table: _Holder, key: str, fields: Mapping[str, Any]) -> None:
        """Add a table to a list of them; a comment that introduces what follows stays in front of that."""
        listed = table.get(key)
        if listed is not None and not isinstance(listed, list):
            raise SettingsError(f"{key} is no list of tables", where=str(self.path), mend=f"write [[{key}]]")
        if listed is not None and not isinstance(listed, AoT):
            inline = tomlkit.inline_table()
            inline.update(fields)
            listed.append(inline)
            return
        new = tomlkit.table()
        new.update(fields)
        before = _end_of(listed[-1] if listed else table)
        following = [] if table is self._document and not listed else _cut_introduction(before)
        _extend(before, [(None, Whitespace("\n"))])
        if listed:
            listed.append(new)
        else:
            tables = tomlkit.aot()
            tables.append(new)
            table[key] = tables
        _end_of(new).extend(following)

    def _remove_from(self, table: _Holder, key: str, address: str) -> bool:
        listed = table.get(key)
        if not isinstance(listed, list):
            return False
        found = [n for n, one in enumerate(listed) if isinstance(one, Mapping) and _is_of(one, address)]
        for place in reversed(found):
            following = _cut_introduction(_end_of(listed[place])) if isinstance(listed, AoT) else []
            del listed[place]
            if not listed and isinstance(listed, AoT):
                del table[key]
            _extend(_end_of(listed[place - 1] if place else table), following)
        return bool(found)

    def _remove_source(self, person: _Holder, address: str) -> None:
        orders = person.get("sources")
        if not isinstance(orders, MutableMapping):
            return
        for channel, order in list(orders.items()):
            if not isinstance(order, list):
                continue  # the check refuses it
            for named in [named for named in order if str(named).upper() == address]:
                order.remove(named)
            if not order:
                del orders[channel]


def _is_of(table: Mapping[str, Any], address: str) -> bool:
    return str(table.get("address", "")).upper() == address


def _end_of(table: _Holder) -> _Body:
    """The last lines of a table, be they of the last table within it."""
    container = table if isinstance(table, Container) else table.value
    keyed = [item for key, item in container.body if key is not None]
    if keyed and isinstance(keyed[-1], AoT) and len(keyed[-1]):
        return _end_of(keyed[-1][-1])
    if keyed and isinstance(keyed[-1], Table):
        return _end_of(keyed[-1])
    return cast("_Body", container.body)


def _extend(body: _Body, lines: _Body) -> None:
    """Add lines to a table's end, without a second blank line in between."""
    is_apart = bool(body) and isinstance(body[-1][1], Whitespace)
    body.extend(lines[1:] if lines and is_apart and isinstance(lines[0][1], Whitespace) else lines)


def _cut_introduction(body: _Body) -> _Body:
    """Take away the comments at a table's end that stand behind a blank line: they introduce what follows."""
    end = len(body)
    while end and isinstance(body[end - 1][1], Whitespace | Comment):
        end -= 1
    while end < len(body) and isinstance(body[end][1], Comment):
        end += 1
    cut = body[end:]
    del body[end:]
    return cut


def _replace(path: Path, text: str, *, like: Path) -> None:
    """Write a file with the mode and the owner of `like`, all or nothing. Raises OSError."""
    model = like.stat()
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            if (model.st_uid, model.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), model.st_uid, model.st_gid)
            os.fchmod(file.fileno(), stat.S_IMODE(model.st_mode))
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
