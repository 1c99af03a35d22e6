"""The cloud's side: from the broker into PostgreSQL."""
