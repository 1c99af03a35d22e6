"""Homes that are not there: what a broker and its collectors would get from thousands of them."""
