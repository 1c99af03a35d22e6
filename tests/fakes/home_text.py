"""Parts of a hearthbeat.toml, as a home of the tests writes it."""

from __future__ import annotations

from collections.abc import Sequence

from tests.fakes.broker import Mosquitto

HOME = '[home]\nid = "home"\nstate_directory = "state"\n'
# Whatever is in this folder: where the test makes none, no risk is watched.
HOME_WITHOUT_MODELS = HOME + 'models_directory = "models"\n'
# One person, and a phone that nobody can reach.
ANNA = """
[[people]]
id = "anna"
contacts = ["phone"]
[[contacts]]
id = "phone"
url = "json://127.0.0.1:9"
"""


def broker_table(broker: Mosquitto) -> str:
    """[broker]: this one, which needs no certificate."""
    return f'[broker]\nhost = "{broker.host}"\nport = {broker.port}\ntls = false\n'


def key_table(identifier: str, public_key: str, may: Sequence[str], contact: str | None = None) -> str:
    """[[commands.keys]]: who holds the key may do so much, in the name of a contact if need be."""
    allowed = ", ".join(f'"{verb}"' for verb in may)
    named = f'contact = "{contact}"\n' if contact is not None else ""
    return f'[[commands.keys]]\nid = "{identifier}"\npublic_key = "{public_key}"\nmay = [{allowed}]\n{named}'
