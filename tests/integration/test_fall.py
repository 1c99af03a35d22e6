"""A fall on its whole way: from the band on a chest, over Bluetooth, to the alert."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.running import status
from edge.store.store import Store
from edge.virtual import polar_band
from edge.virtual.polar_band import VirtualPolarBand
from edge.wearables.polar_pmd import MeasurementType
from tests.fakes.household import virtual_household
from training.recipes.fall import RECIPE

STANDING_S, LYING_S = 90.0, 40.0


def recorded_fall(recordings: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """One person's fall from the hip: times from 0 on, and milli-g."""
    person = RECIPE.read(recordings, "sisfall")[1]
    trial = [one for one in person.signal.trials if one.is_fall][4]
    return trial.times - trial.times[0], trial.mg


@pytest.mark.recordings
@pytest.mark.timeout(60)
async def test_a_fall_is_told_from_the_streams_of_a_band(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times, mg = recorded_fall(recordings)
    random = np.random.default_rng(1)
    begins: list[float] = []

    def worn(at: NDArray[np.float64]) -> NDArray[np.int64]:
        """Upright until the fall begins, and on the floor after it."""
        since = at - begins[0] if begins else np.full(len(at), -1.0)
        moved = np.stack([np.interp(since, times, axis) for axis in mg.T], axis=1)
        sway = np.where(since[:, np.newaxis] < 0.0, 60.0 * np.sin(2.0 * at)[:, np.newaxis], 0.0)
        noise = random.normal(0.0, 8.0, moved.shape)
        return np.asarray(np.rint(moved + sway + noise).clip(-8000, 8000), dtype=np.int64)

    monkeypatch.setattr(polar_band, "_SIGNALS", {**polar_band._SIGNALS, MeasurementType.ACCELERATION: worn})
    async with virtual_household(tmp_path) as house:
        house.with_models = True
        band = VirtualPolarBand(house.radio, house.clock)
        await band.start()
        async with house.living(band):
            await house.until(lambda: MeasurementType.ACCELERATION in band.started)
            await house.passes(STANDING_S, speed=60.0)
            begins.append(house.clock.wall())
            await house.passes(float(times[-1]) + LYING_S, speed=60.0)
    with Store(tmp_path / "state" / status.STORE_NAME) as store:
        falls = [alert for alert in store.alerts.alerts(10) if alert.kind == "fall"]
    assert len(falls) == 1
    assert begins[0] < falls[0].opened_at < begins[0] + times[-1] + 15.0
