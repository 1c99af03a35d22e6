"""The Long-Term AF Database: 84 people with paroxysmal or lasting atrial fibrillation, about a day each.

Petrutiu, Sahakian, Swiryn, "Abrupt changes in fibrillatory wave characteristics at the termination of paroxysmal atrial
fibrillation in humans", Europace 9, 2007; PhysioNet ltafdb 1.0.0. One record is one person. The beats before a record's
first rhythm annotation (92,804 of record 64) are unlabelled.
"""

from __future__ import annotations

from training.corpora.rhythm import Corpus

LTAFDB = Corpus(name="ltafdb", extension="atr", person_of=str)
