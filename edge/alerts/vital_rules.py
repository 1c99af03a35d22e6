"""The rules about vital signs that hold where hearthbeat.toml says nothing else, with their sources.

They are for adults whose doctor has set no other limits; whoever has such limits writes them into hearthbeat.toml.
"""

from __future__ import annotations

from typing import Final

from edge.alerts.thresholds import ThresholdRule
from edge.notices import Severity
from edge.readings import Channel

# In minutes, as rests are told.
_HOUR: Final = 60.0
_DAY: Final = 24 * _HOUR
_WARNING, _CRITICAL, _INFO = Severity.WARNING, Severity.CRITICAL, Severity.INFO

# NEWS2: National Early Warning Score 2, chart 1 (Royal College of Physicians, 2017): what alone scores 3 there is told
# here: SpO2 of 91 % or less (scale 1), a pulse of 40 or less or of 131 or more, a systolic pressure of 90 mmHg or less,
# a temperature of 35.0 °C or less. Minutes, clear values and rests are our choice: the clear value is well into the
# next band, so that nothing flaps; ten minutes are longer than a cough, a cold finger or a climb of stairs; a rest is a
# night where nobody can do more than was said. A pulse of 40 is usual in trained sleepers, night after night: below 40
# here, and told once a week at most; below 30 for five minutes, critical, is our choice.
# Oxygen of less than 85 % in the middle of three minutes in a row is our choice: nobody's target, on either scale of
# NEWS2 (88 % is the lowest), and soon enough to act; one such minute is often a finger that moves.
# Temperature: the NHS calls 38 °C or more a high temperature (nhs.uk/conditions/fever-in-adults).
# Blood pressure: the American Heart Association calls 180/120 mmHg a crisis, and has it measured again after a minute
# or more (heart.org, "When To Call 911 About High Blood Pressure"). 135/85 mmHg is where the European Society of
# Hypertension begins to call the mean of several days at home high; the median of twelve measurements is our choice.
# Glucose: below 54 mg/dL is level 2 hypoglycaemia, for a sensor when it lasts 15 minutes; above 250 is level 2
# hyperglycaemia (American Diabetes Association, Standards of Care, CGM metrics after Battelino et al., Diabetes Care
# 42:1593, 2019); two hours are our choice. Level 1, below 70, is told sooner by the risk "hypoglycaemia" for a sensor.
DEFAULTS: Final = (
    ThresholdRule("spo2_low", Channel.SPO2, _WARNING, below=92.0, clear=94.0, minutes=10.0, cool_down_min=4 * _HOUR),
    ThresholdRule("spo2_very_low", Channel.SPO2, _CRITICAL, below=85.0, clear=90.0, values=3, cool_down_min=_HOUR),
    ThresholdRule(
        "heart_rate_high",
        Channel.HEART_RATE,
        _WARNING,
        above=130.0,
        clear=120.0,
        minutes=10.0,
        cool_down_min=4 * _HOUR,
        at_rest=True,
    ),
    ThresholdRule(
        "heart_rate_low", Channel.HEART_RATE, _WARNING, below=40.0, clear=45.0, minutes=10.0, cool_down_min=7 * _DAY
    ),
    ThresholdRule(
        "heart_rate_very_low", Channel.HEART_RATE, _CRITICAL, below=30.0, clear=40.0, minutes=5.0, cool_down_min=_HOUR
    ),
    ThresholdRule("temperature_high", Channel.TEMPERATURE, _WARNING, above=37.9, clear=37.5, cool_down_min=12 * _HOUR),
    ThresholdRule(
        "temperature_low", Channel.TEMPERATURE, _WARNING, below=35.1, clear=35.6, values=2, cool_down_min=12 * _HOUR
    ),
    ThresholdRule("systolic_very_high", Channel.SYSTOLIC, _WARNING, above=179.0, clear=160.0, cool_down_min=_HOUR),
    ThresholdRule("diastolic_very_high", Channel.DIASTOLIC, _WARNING, above=119.0, clear=100.0, cool_down_min=_HOUR),
    ThresholdRule("systolic_low", Channel.SYSTOLIC, _WARNING, below=91.0, clear=100.0, cool_down_min=12 * _HOUR),
    ThresholdRule(
        "systolic_high", Channel.SYSTOLIC, _INFO, above=134.0, clear=130.0, values=12, cool_down_min=28 * _DAY
    ),
    ThresholdRule(
        "diastolic_high", Channel.DIASTOLIC, _INFO, above=84.0, clear=80.0, values=12, cool_down_min=28 * _DAY
    ),
    ThresholdRule(
        "glucose_very_low", Channel.GLUCOSE, _CRITICAL, below=54.0, clear=70.0, minutes=15.0, cool_down_min=_HOUR
    ),
    ThresholdRule(
        "glucose_very_high",
        Channel.GLUCOSE,
        _WARNING,
        above=250.0,
        clear=200.0,
        minutes=120.0,
        cool_down_min=12 * _HOUR,
    ),
    ThresholdRule("blood_glucose_low", Channel.BLOOD_GLUCOSE, _WARNING, below=70.0, clear=80.0, cool_down_min=_HOUR),
    ThresholdRule(
        "blood_glucose_very_low", Channel.BLOOD_GLUCOSE, _CRITICAL, below=54.0, clear=70.0, cool_down_min=_HOUR / 2
    ),
    ThresholdRule(
        "blood_glucose_very_high",
        Channel.BLOOD_GLUCOSE,
        _WARNING,
        above=250.0,
        clear=200.0,
        values=2,
        cool_down_min=12 * _HOUR,
    ),
)
