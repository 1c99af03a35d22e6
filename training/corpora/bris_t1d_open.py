"""BrisT1D-Open: 20 young adults with type 1 diabetes in the United Kingdom, about half a year each.

James et al., "BrisT1D dataset: young adults with type 1 diabetes in the UK using smartwatches", arXiv 2507.17757, 2025.
Dexcom G6 and One and Medtronic Guardian 4, every 5 minutes, and FreeStyle Libre 2, every 15; stepped by 0.1 mmol/L.
"""

from __future__ import annotations

from training.corpora.glucose_ml import GlucoseCorpus

BRIS_T1D_OPEN = GlucoseCorpus(
    name="bris_t1d_open",
    folder="Bris-T1D_Open",
    people=20,
    source="https://doi.org/10.5523/bris.33z5jc8fa6tob21ptrugzqog08",
)
