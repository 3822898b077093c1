"""The books on disk: SQLite by default, memory for tests. See ports.Store for the promises."""
