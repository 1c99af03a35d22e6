"""What the home hears from afar: commands, settings, models."""
