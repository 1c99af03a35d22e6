"""One file per GATT profile: bytes to Readings, pure."""
