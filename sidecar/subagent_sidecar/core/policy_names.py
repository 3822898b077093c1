"""The words that stand for policies wherever a policy file is asked for."""

BUNDLED = ("default", "observe", "strict")
"""The policies that come with the sidecar."""

NONE = "none"
"""No rules at all."""
