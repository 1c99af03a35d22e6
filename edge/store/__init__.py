"""SQLite: readings in compressed blocks, assessments, alerts, notifications and the outbox."""
