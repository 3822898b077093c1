"""One module for each group of commands, found by name: its `COMMANDS` are added to the CLI."""
