"""What Hearthbeat keeps: signals, assessments, alerts, notifications and the outbox, in one SQLite file."""
