"""Who lives here, what they wear and share, and whose a measurement is."""
