"""AZT1D: 25 people with type 1 diabetes, aged 27 to 80, on automated insulin delivery, 26 to 48 days each.

Khamesian et al., "AZT1D: a real-world dataset for type 1 diabetes", IEEE BSN 2025. Dexcom G6 Pro, every 5 minutes.
"""

from __future__ import annotations

from training.corpora.glucose_ml import GlucoseCorpus

AZT1D = GlucoseCorpus(name="azt1d", folder="AZT1D", people=25, source="https://doi.org/10.17632/gk9m674wcx.1")
