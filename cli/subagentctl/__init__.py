"""The operator's command. It talks to a running sidecar's admin plane and embeds none of it."""
