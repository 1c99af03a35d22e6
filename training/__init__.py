"""Rebuilds every model from public recordings."""
