"""What the broker is told of minutes, hours, days and health, and under which names."""
