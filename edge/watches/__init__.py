"""What looks after a person or the house over time: risks, vital signs, nights, faults."""
