"""hearthbeat.toml: what may stand in it, and how it is changed."""
