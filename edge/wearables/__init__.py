"""Wearables: one file per GATT profile, bytes to Readings, pure.

A new kind of wearable is one new module here that defines `PROFILE`; nothing else is touched.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Final

from edge.wearables.profile import Profile


def _find_profiles() -> tuple[Profile, ...]:
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    modules = [import_module(f"{__name__}.{name}") for name in names]
    return tuple(module.PROFILE for module in modules if hasattr(module, "PROFILE"))


PROFILES: Final = _find_profiles()

# Which profile understands a characteristic, by the characteristic's 128-bit UUID in lower case.
BY_CHARACTERISTIC: Final[Mapping[str, Profile]] = MappingProxyType(
    {characteristic: profile for profile in PROFILES for characteristic in (*profile.notify, *profile.read)}
)
