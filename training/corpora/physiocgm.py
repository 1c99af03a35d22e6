"""PhysioCGM: 9 of 10 people with type 1 diabetes, aged 24 to 41, up to 90 days each (c2s02 has no glucose).

Quamer et al., "PhysioCGM: a multimodal physiological dataset for non-invasive blood glucose estimation", Scientific
Data 12, 1822, 2025. Dexcom G6, every 5 minutes.
"""

from __future__ import annotations

from training.corpora.glucose_ml import GlucoseCorpus

PHYSIOCGM = GlucoseCorpus(
    name="physiocgm", folder="PhysioCGM", people=9, source="https://doi.org/10.6084/m9.figshare.28136294.v1"
)
