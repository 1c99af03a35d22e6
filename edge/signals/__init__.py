"""Readings to Windows and features; pure NumPy, shared with training."""
