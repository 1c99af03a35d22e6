"""Alerts to phones."""
