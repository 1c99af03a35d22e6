"""The words for each kind of fault: {what} is what is at fault, such as "Anna's strap and Ben's watch".

A fault of the watching itself is told to whoever looks after the house. What to do about it stands in its sentence,
which knows most about it, and else here as guidance. The advice is ours: it follows from what Hearthbeat is made of.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from edge.notices import FaultKind
from edge.notify.alert_words import Words
from edge.phrases import words

FAULT_WORDS: Final[Mapping[str, Words]] = MappingProxyType(
    {
        FaultKind.NO_DATA: Words(
            words("Nothing comes from {what}"),
            words("Nothing has come from {what} since {since}. {why}"),
            words("Data come again from {what}"),
            words("{what}: data have come again, as of {until}. Nothing had come since {since}."),
        ),
        FaultKind.NEVER_SEEN: Words(
            words("Nothing was ever heard of {what}"),
            words("Hearthbeat has been waiting for {what} since {since}. {why}"),
            words("First data from {what}"),
            words("The first data of {what} have come, at {until}."),
        ),
        FaultKind.BATTERY_LOW: Words(
            words("Battery low: {what}"),
            words("The battery of {what} is low, as seen at {since}. {why}"),
            words("Battery charged: {what}"),
            words("The battery of {what} is no longer low, as of {until}."),
        ),
        FaultKind.NOT_WORN: Words(
            words("Not worn: {what}"),
            words("{what} has not been worn since {since}, as far as it can tell. {why}"),
            words("Worn again: {what}"),
            words("{what} is worn again, as of {until}."),
        ),
        FaultKind.FROZEN_VALUE: Words(
            words("{what} seems stuck"),
            words("The value of {what} has not changed since {since}. {why}"),
            words("{what} is no longer stuck"),
            words("The values of {what} change again, as of {until}. They had not since {since}."),
        ),
        FaultKind.DEVICE_CLOCK: Words(
            words("Wrong clock: {what}"),
            words("The clock of {what} was found wrong at {since}. {why}"),
            words("Clock right again: {what}"),
            words("The clock of {what} is right again, as of {until}."),
        ),
        FaultKind.CLOCK: Words(
            words("Hearthbeat's clock is doubtful"),
            words("Since {since}: {why}"),
            words("Hearthbeat's clock is right again"),
            words("Hearthbeat's clock, doubtful since {since}, has run steadily until {until}."),
        ),
        FaultKind.BLUETOOTH: Words(
            words("Hearthbeat's Bluetooth does not work"),
            words("Since {since}: {why}"),
            words("Bluetooth works again"),
            words("Bluetooth, which failed at {since}, works again at {until}."),
        ),
        FaultKind.MODEL: Words(
            words("Not watched for: {what}"),
            words("Hearthbeat has not been able to watch for {what} since {since}. {why}"),
            words("Watched for again: {what}"),
            words("Hearthbeat watches for {what} again since {until}."),
            words("Install Hearthbeat again."),
        ),
        FaultKind.STORE: Words(
            words("Hearthbeat has trouble with its disk: {what}"),
            words("{what} has failed since {since}. {why} Watching goes on meanwhile."),
            words("Hearthbeat's disk works again: {what}"),
            words("{what}, which failed from {since} on, works again at {until}."),
            words("See that the disk has room; if this comes again, put in another memory card or disk."),
        ),
        FaultKind.DISK_FULL: Words(
            words("Hearthbeat's disk is nearly full"),
            words("Since {since}: {why}"),
            words("Hearthbeat's disk has room again"),
            words("Hearthbeat's disk, nearly full since {since}, has room again at {until}."),
        ),
        FaultKind.CONTACT: Words(
            words("{what} cannot be told anything"),
            words("No message has reached {what} since {since}. {why} What waits will be sent when it can be."),
            words("{what} can be told again"),
            words("Messages reach {what} again, as of {until}. None had since {since}."),
        ),
        FaultKind.CHANNEL: Words(
            words("One of the ways to {what} does not work"),
            words("Since {since} messages to {what} have gone another way. {why}"),
            words("All ways to {what} work again"),
            words("The way to {what} that did not work from {since} on works again, as of {until}."),
            words("Look at the account, and at the URL in the settings; then try it out: hearthbeat notify test."),
        ),
        FaultKind.BROKER_REFUSES: Words(
            words("The broker refuses Hearthbeat"),
            words("Since {since}: {why} Alerts still reach the phones; summaries wait here."),
            words("The broker accepts Hearthbeat again"),
            words("The broker, which refused from {since} on, accepts Hearthbeat again at {until}."),
            words("Check the broker's user name, password and certificates in the settings, and the broker's log."),
        ),
        FaultKind.BROKER_UNREACHABLE: Words(
            words("The broker cannot be reached"),
            words("Since {since}: {why} Alerts still reach the phones."),
            words("The broker can be reached again"),
            words("The broker, out of reach since {since}, can be reached again at {until}."),
            words("Check the network, and the broker's address in the settings."),
        ),
        FaultKind.OUTBOX_STUCK: Words(
            words("Messages to the broker are stuck"),
            words("Since {since}: {why} Alerts still reach the phones."),
            words("Messages to the broker flow again"),
            words("Messages to the broker, stuck since {since}, flow again at {until}."),
        ),
        FaultKind.COMMANDS: Words(
            words("What comes from outside is not as it should be"),
            words("Since {since}: {why}"),
            words("What comes from outside is in order again"),
            words("What comes from outside, not as it should be since {since}, is in order again at {until}."),
        ),
        FaultKind.BUTTONS: Words(
            words("The buttons of messages do not work"),
            words("Since {since}: {why} Messages still reach the phones."),
            words("The buttons of messages work again"),
            words("The buttons of messages, which did not work from {since} on, work again at {until}."),
            words(
                "Start their service again: `sudo systemctl restart hearthbeat-web`. Until then, answer by `hearthbeat "
                "alerts` at the machine."
            ),
        ),
    }
)
