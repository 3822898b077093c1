"""Figures, measured by commands. `make bench` runs them all; see README.md in this folder."""
