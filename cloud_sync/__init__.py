"""From the outbox to the MQTT broker."""
