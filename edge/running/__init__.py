"""The daemon's own life: start, supervision, status, the control socket, upkeep."""
