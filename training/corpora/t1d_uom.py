"""T1D-UOM: 17 people with type 1 diabetes, aged 23 to 70, one to six months each.

Alsuhaymi et al., "T1D-UOM: a longitudinal multimodal dataset of type 1 diabetes", Scientific Data 12, 1379, 2025.
Sensors of 5 minutes and of 15, these with readings taken by hand in between; stepped by 0.1 mmol/L. The file of
UoMGlucose2304 mixes two series that differ by more than 100 mg/dL.
"""

from __future__ import annotations

from training.corpora.glucose_ml import GlucoseCorpus

T1D_UOM = GlucoseCorpus(name="t1d_uom", folder="T1D-UOM", people=17, source="https://doi.org/10.5281/zenodo.15806142")
