"""Settings: from defaults, then the config file, then environment and flags. Parsing only.

Everything is parsed before any socket opens, and every problem is reported, not just the first.
A new setting is a field of `Settings`, a row in `table.py` and a row in the docs.
"""

from .reading import BadSettings, settings
from .settings import PushSettings, Settings, UpstreamSettings

__all__ = ["BadSettings", "PushSettings", "Settings", "UpstreamSettings", "settings"]
