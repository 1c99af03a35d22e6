"""The subcommands of `hearthbeat`, a file for each group."""
