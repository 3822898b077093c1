"""The pure core: what requests mean, what happens to tasks. No IO, no clock, no framework.

Reading order: model, wire, routing, lifecycle, changes, ledger, admission, chain, book.
The policy language: matching, policy, verdict, asking, decide, refusal.
"""
