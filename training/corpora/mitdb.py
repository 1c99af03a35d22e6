"""The MIT-BIH Arrhythmia Database: 48 half hours of 47 people, many with other arrhythmias; never trained on.

Moody, Mark, "The impact of the MIT-BIH Arrhythmia Database", IEEE Eng Med Biol 20(3), 2001; PhysioNet mitdb 1.0.0.
Records 201 and 202 are of one person.
"""

from __future__ import annotations

from training.corpora.rhythm import Corpus

MITDB = Corpus(name="mitdb", extension="atr", person_of=lambda name: "201" if name == "202" else name)
