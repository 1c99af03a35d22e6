"""Hearthbeat at home: one daemon that listens to wearables, judges risks and warns people."""
