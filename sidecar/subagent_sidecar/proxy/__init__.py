"""HTTP in: the data plane (agent traffic), the admin plane, and what both share.

Reading order: server (the listener), agent_routes (where a request goes), then forwarding, starts
and polls (what is done with it), peek (what its answer tells).
"""
