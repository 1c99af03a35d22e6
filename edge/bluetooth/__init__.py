"""The radio side: one long-lived scanner, and the life of each wearable's link."""
