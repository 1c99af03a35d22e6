"""Assessments to Alerts: episodes that are raised once and cleared once."""
