"""The Normal Sinus Rhythm RR Interval Database: 54 people without atrial fibrillation, about a day each.

PhysioNet nsr2db 1.0.0. One record is one person. It holds beats alone, without rhythm annotations: the data set's name
says what the rhythm is.
"""

from __future__ import annotations

from training.corpora.rhythm import Corpus

NSR2DB = Corpus(name="nsr2db", extension="ecg", person_of=str, first_rhythm="N")
