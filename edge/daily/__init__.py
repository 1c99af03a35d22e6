"""The daily word."""
