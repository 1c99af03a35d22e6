"""The links behind the buttons of a notification."""
