"""Budgets that act while tasks run: they are told of, shown to supervisors, and end tasks.

Starts ask the budgets by themselves (core/decide.py). But what a task spends, it spends after it
was let in: somebody has to look again whenever usage was read, and while time goes by.
"""

from .near import NearBudgets
from .watch import BudgetWatch

__all__ = ["BudgetWatch", "NearBudgets"]
