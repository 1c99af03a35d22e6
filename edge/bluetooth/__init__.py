"""The radio side: one long-lived scanner, and the life of one wearable's link."""
