"""The words for each kind of alert about a person, and what public guidance says to do.

They name no diagnosis and never say that all is well. Whoever reads them may be the person or who helps, so they fit
both. The sources of what to do:
- irregular heartbeat: NHS page "Atrial fibrillation" (nhs.uk/conditions/atrial-fibrillation: see a GP; call 999 when a
  fast or irregular heartbeat comes with one of the symptoms named there), and NICE guideline NG196, 1.1.2 (a 12-lead
  ECG where an irregular pulse was found, with or without symptoms);
- fall: NHS page "Falls" (nhs.uk/conditions/falls: stay calm, do not get up at once if hurt, call for help);
- low glucose: NHS page "Low blood sugar" (nhs.uk/conditions/low-blood-sugar-hypoglycaemia: a sugary drink or snack of
  15 to 20 g, look again after 10 to 15 minutes; nothing by mouth and 999 for somebody who cannot be woken, and glucagon
  by whoever knows how), which is the rule of 15 g and 15 minutes of the American Diabetes Association (Standards of
  Care in Diabetes, section 6);
- high glucose: NHS pages "High blood sugar" and "Diabetic ketoacidosis" (sugar-free drinks, what the care team has
  advised, ketones; help at once for vomiting, belly pain, fast deep breathing, drowsiness or confusion, and 999 for
  more than 3 mmol/L of ketones in the blood);
- oxygen: NHS leaflet "How to use a pulse oximeter at home" (nail polish off, a warm hand, five minutes of rest; 92 % or
  less is measured again at once and, where it stays, a reason for 999), but for people whose doctor has given them
  another target: British Thoracic Society, Guideline for oxygen use in adults, Thorax 72 suppl. 1, 2017 (88 to 92 % for
  those at risk of hypercapnic failure);
- fast or slow heart: the adverse features of Resuscitation Council UK's tachycardia and bradycardia algorithms (shock,
  fainting, chest pain of a lack of blood, heart failure), here in plain words;
- temperature: NHS pages "High temperature (fever) in adults" (rest, drink, paracetamol or ibuprofen if it helps) and
  "Hypothermia" (below 35 °C is a matter for 999; indoors, dry, wrapped up, a warm drink if awake; no bath, no rubbing,
  no alcohol); signs of a grave illness: NHS page "Sepsis" (999 for confusion, slurred speech, breathlessness, blue,
  pale or blotchy skin or lips, a rash that does not fade when pressed);
- blood pressure of 180/120 and more: American Heart Association, "When To Call 911 About High Blood Pressure": again
  after a minute or more, 911 with one of the symptoms named there, else a call to the doctor soon; 135/85 and more as
  a mean at home: European Society of Hypertension, 2023 guidelines (to be seen by a doctor, and treated by how one
  lives first); less than 90: NHS page "Low blood pressure" (sit or lie down, get up slowly, see a GP);
- NEWS2: Royal College of Physicians, 2017, chart 2: 5 or 6 ask for an urgent review, 7 and more for emergency care;
- breathing pauses in sleep: NHS page "Sleep apnoea" (see a GP; tests can be done while you sleep at home);
- resting heart rate above the usual: Mishra et al., Nat Biomed Eng 4, 2020, saw it days before symptoms of COVID-19.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from edge.phrases import words
from edge.readings import Risk

# How the emergency services are called: 112 holds in the European Union and works from phones in much of the world.
EMERGENCY_NUMBER: Final = words("the emergency number (112 in Europe, 911 in America)")


@dataclass(frozen=True, slots=True)
class Words:
    """The words for one kind: {name} or {what}, {since}, {opened}, {until}, {why} and {emergency} are filled in.

    {since} is when the evidence began, which for a model is when its first window did, {opened} when it was complete.

    `guidance` says what to do while it lasts.
    """

    title: str
    body: str
    cleared_title: str
    cleared_body: str
    guidance: str = ""


_GLUCOSE_LOW: Final = words(
    "Take 15 to 20 g of fast sugar now (a glass of juice, a sugary drink or glucose tablets) and measure again after "
    "15 minutes; if it is still low, do so once more. Call {emergency} at once if somebody cannot be woken or cannot "
    "swallow, and give nothing by mouth then; whoever has learnt it may give glucagon."
)
_GLUCOSE_HIGH: Final = words(
    "Do what the diabetes team has advised for high values, and drink water. Whoever uses insulin should test for "
    "ketones. Call {emergency} in case of vomiting, belly pain, fast deep breathing, drowsiness or confusion, or with "
    "more than 3 mmol/L of ketones in the blood."
)
_OXYGEN_LOW: Final = words(
    "Sit upright and rest for five minutes, warm the hand, take off nail polish, and measure again. If it stays at 92 %"
    " or less, or below what the doctor has set as a target, seek medical help now. Call {emergency} at once in case of"
    " trouble breathing, blue lips, chest pain or confusion."
)
_OXYGEN_VERY_LOW: Final = words(
    "Go to {name} or call now, and measure again at once on a warm, still hand. Call {emergency} at once if it stays so"
    " low, if there is no answer, or in case of trouble breathing, blue lips, chest pain or confusion."
)
_HEART_FAST: Final = words(
    "Sit down and rest; fever, pain, worry, drink and some medicines can do this. Ask a doctor today if it does not "
    "pass or comes again. Call {emergency} at once in case of chest pain, shortness of breath, fainting or confusion."
)
_HEART_SLOW: Final = words(
    "In trained people and in sleep this can be usual. Ask a doctor soon if it is new, in case of dizziness or "
    "tiredness, or with heart medicines. Call {emergency} at once in case of fainting, chest pain, shortness of breath "
    "or confusion."
)
_HEART_VERY_SLOW: Final = words(
    "Go to {name} or call now, and see that the wearable sits well. Call {emergency} at once if there is no answer, or "
    "in case of fainting, chest pain, shortness of breath, cold sweat or confusion."
)
_FEVER: Final = words(
    "One measurement says little: measure again. Rest, drink plenty, and take a medicine against fever if it helps and"
    " is allowed. Ask a doctor if it lasts, or soon for somebody old, ill or with a weak immune system. Call "
    "{emergency} at once in case of confusion, trouble breathing, blue, pale or blotchy skin, or a rash that does not "
    "fade when pressed."
)
_COLD: Final = words(
    "Measure again. Go indoors, change wet clothes, wrap up with the head covered, and take a warm drink if fully "
    "awake; no hot bath, no rubbing, no alcohol. Below 35 °C, or in case of slurred speech, confusion, drowsiness or "
    "slow breathing, call {emergency} at once."
)
_PRESSURE_VERY_HIGH: Final = words(
    "One measurement says little: sit quietly for five minutes and measure again. If it stays so high, call the doctor"
    " today. Call {emergency} at once in case of chest or back pain, shortness of breath, numbness or weakness, a "
    "change of sight, or trouble speaking."
)
_PRESSURE_HIGH: Final = words(
    "There is no hurry: show these measurements to a doctor or pharmacist within some weeks, and take medicines as they"
    " were prescribed until then."
)
_PRESSURE_LOW: Final = words(
    "One measurement says little: sit or lie down for five minutes, drink some water, and measure again; get up "
    "slowly. Ask a doctor if it comes again or makes dizzy. Call {emergency} at once in case of fainting, chest pain, "
    "confusion, heavy bleeding or cold, pale skin."
)
_VALUE_BODY: Final = words("{why} It has been so since {since}.")
_MEASURED_BODY: Final = words("{why} This was at {since}.")
_SERIES_BODY: Final = words("{why} The first of them was at {since}.")
_OVER_BODY: Final = words("{why} It began at {since} and was over at {until}.")

WORDS: Final[Mapping[str, Words]] = MappingProxyType(
    {
        Risk.ATRIAL_FIBRILLATION: Words(
            words("{name}: irregular heartbeat"),
            words("{name}'s heartbeat has been irregular since {since}, as it is in atrial fibrillation. {why}"),
            words("{name}: heartbeat regular again"),
            words(
                "{name}'s heartbeat, irregular since {since}, has been regular for some minutes at {until}. Such "
                "episodes come and go: tell a doctor about this one all the same."
            ),
            words(
                "Rest, and ask a doctor for an ECG soon. Call {emergency} at once if there is chest pain, shortness of "
                "breath, dizziness or fainting, weakness or numbness on one side, confusion or trouble speaking."
            ),
        ),
        Risk.FALL: Words(
            words("{name}: a fall?"),
            words("{name} seems to have fallen at {since}. {why}"),
            words("{name}: moving again"),
            words(
                "After what looked like a fall at {since}, {name} has been moving again at {until}. Ask how it is all "
                "the same."
            ),
            words(
                "Ask, or go and look. Do not lift anybody who is hurt. Call {emergency} at once if there is no answer, "
                "after a blow to the head, or if getting up does not succeed."
            ),
        ),
        Risk.HYPOGLYCAEMIA: Words(
            words("{name}: glucose is going low"),
            words("{name}'s glucose is low or will be within half an hour, as seen at {opened}. {why}"),
            words("{name}: glucose is safe again"),
            words("{name}'s glucose, low or going low at {opened}, is out of danger at {until}."),
            words(
                "Measure, and take 15 to 20 g of fast sugar (a glass of juice or a sugary drink) if it is low; look "
                "again after 15 minutes. Call {emergency} at once if somebody cannot be woken, and give nothing by "
                "mouth then."
            ),
        ),
        Risk.SLEEP_APNOEA: Words(
            words("{name}: signs of breathing pauses in sleep"),
            words(
                "{name}'s heartbeat has shown the swings that come with breathing pauses, as seen at {opened}. {why}"
            ),
            words("{name}: quieter sleep"),
            words("The signs of breathing pauses that were seen at {opened} were over at {until}."),
            words(
                "One such night says little. If nights like this come again, or days are sleepy, ask a doctor for a "
                "sleep test."
            ),
        ),
        "resting_heart_rate": Words(
            words("{name}: resting heart rate higher than usual"),
            words("{why} It has been so for two nights or more, since {since}."),
            words("{name}: resting heart rate as usual again"),
            words("{why} It had been higher since {since}."),
            words(
                "An infection can begin like this, and so can drink, hard exercise, stress or a new medicine. Measure "
                "the temperature, and ask a doctor if you feel ill."
            ),
        ),
        "news2": Words(
            words("{name}: several vital signs are off"),
            words("Together, {name}'s vital signs give a high early warning score (NEWS2) at {since}. {why}"),
            words("{name}: vital signs better again"),
            _OVER_BODY,
            words(
                "Look after {name} and measure again. Unless a doctor knows about it, ask for medical help now; with 7 "
                "points or more, or in case of confusion, trouble breathing, chest pain or fainting, call {emergency} "
                "at once."
            ),
        ),
        "spo2_low": Words(
            words("{name}: low oxygen"), _VALUE_BODY, words("{name}: oxygen higher again"), _OVER_BODY, _OXYGEN_LOW
        ),
        "spo2_very_low": Words(
            words("{name}: very low oxygen"),
            _VALUE_BODY,
            words("{name}: oxygen no longer very low"),
            _OVER_BODY,
            _OXYGEN_VERY_LOW,
        ),
        "heart_rate_high": Words(
            words("{name}: fast heart at rest"),
            _VALUE_BODY,
            words("{name}: heart slower again"),
            _OVER_BODY,
            _HEART_FAST,
        ),
        "heart_rate_low": Words(
            words("{name}: slow heart"), _VALUE_BODY, words("{name}: heart faster again"), _OVER_BODY, _HEART_SLOW
        ),
        "heart_rate_very_low": Words(
            words("{name}: very slow heart"),
            _VALUE_BODY,
            words("{name}: heart no longer very slow"),
            _OVER_BODY,
            _HEART_VERY_SLOW,
        ),
        "temperature_high": Words(
            words("{name}: high temperature"),
            _MEASURED_BODY,
            words("{name}: temperature lower again"),
            _OVER_BODY,
            _FEVER,
        ),
        "temperature_low": Words(
            words("{name}: low temperature"),
            _SERIES_BODY,
            words("{name}: temperature higher again"),
            _OVER_BODY,
            _COLD,
        ),
        "systolic_very_high": Words(
            words("{name}: very high blood pressure"),
            _MEASURED_BODY,
            words("{name}: blood pressure lower again"),
            _OVER_BODY,
            _PRESSURE_VERY_HIGH,
        ),
        "diastolic_very_high": Words(
            words("{name}: very high blood pressure"),
            _MEASURED_BODY,
            words("{name}: blood pressure lower again"),
            _OVER_BODY,
            _PRESSURE_VERY_HIGH,
        ),
        "systolic_low": Words(
            words("{name}: low blood pressure"),
            _MEASURED_BODY,
            words("{name}: blood pressure higher again"),
            _OVER_BODY,
            _PRESSURE_LOW,
        ),
        "systolic_high": Words(
            words("{name}: blood pressure high over weeks"),
            _SERIES_BODY,
            words("{name}: blood pressure lower again"),
            _OVER_BODY,
            _PRESSURE_HIGH,
        ),
        "diastolic_high": Words(
            words("{name}: blood pressure high over weeks"),
            _SERIES_BODY,
            words("{name}: blood pressure lower again"),
            _OVER_BODY,
            _PRESSURE_HIGH,
        ),
        "glucose_very_low": Words(
            words("{name}: very low glucose"),
            _VALUE_BODY,
            words("{name}: glucose higher again"),
            _OVER_BODY,
            _GLUCOSE_LOW,
        ),
        "glucose_very_high": Words(
            words("{name}: very high glucose"),
            _VALUE_BODY,
            words("{name}: glucose lower again"),
            _OVER_BODY,
            _GLUCOSE_HIGH,
        ),
        "blood_glucose_low": Words(
            words("{name}: low glucose"),
            _MEASURED_BODY,
            words("{name}: glucose higher again"),
            _OVER_BODY,
            _GLUCOSE_LOW,
        ),
        "blood_glucose_very_low": Words(
            words("{name}: very low glucose"),
            _MEASURED_BODY,
            words("{name}: glucose higher again"),
            _OVER_BODY,
            _GLUCOSE_LOW,
        ),
        "blood_glucose_very_high": Words(
            words("{name}: very high glucose"),
            _SERIES_BODY,
            words("{name}: glucose lower again"),
            _OVER_BODY,
            _GLUCOSE_HIGH,
        ),
    }
)

# For the rules that people make themselves, whose {kind} is the name that they gave.
OTHER: Final = Words(
    words("{name}: {kind}"),
    _VALUE_BODY,
    words("{name}: over: {kind}"),
    words("It began at {since} and ended at {until}."),
    words("Do what was agreed for this with {name} or the doctor. Measure again if it seems wrong."),
)
OTHER_CRITICAL: Final = words(
    "Go to {name} or call now. Call {emergency} at once if there is no answer, or in case of chest pain, trouble "
    "breathing, fainting or confusion."
)
