"""The key of the pseudonyms: made with the store, kept in it and its backups, and nowhere else."""

from __future__ import annotations

from edge.store.connection import Connection
from edge.telling.pseudonyms import Pseudonyms


def stored_pseudonyms(connection: Connection) -> Pseudonyms:
    """Those of a store's own key, which was made with it. Raises StoreError."""
    row = connection.row("SELECT secret FROM secrets WHERE name = 'pseudonyms'")
    assert row is not None  # noqa: S101 -- a migration has put it there
    return Pseudonyms(row[0])
