"""Completion push, as far as it is decided without a socket: who is told what, and when again."""
