"""What messages used, and what that comes to for their runs and for everything."""

from .changes import UsagePriced, UsageSeen
from .ledger import Ledger
from .metrics.record import used
from .model import UsageEntry
from .quick import changed


def seen(ledger: Ledger, change: UsageSeen) -> None:
    if ledger.task(change.thread_id) is None:
        return
    for entry in change.entries:
        known = ledger.usage(entry.task_id, entry.message_id)
        if known is None:
            ledger.put_usage(entry)
            _add_up(ledger, None, entry)
            continue
        better = changed(entry, run_id=known.run_id, at=known.at)
        if better != known and better != _unpriced(known):
            # A message read while it was still being written, or priced at last. One that has
            # its price keeps it: this was read before there was any.
            ledger.put_usage(better)
            _add_up(ledger, known, better)
    for run_id in change.settled:
        run = ledger.run(change.thread_id, run_id)
        if run is not None and run.ended and not run.settled:
            ledger.put_run(changed(run, settled=True))


def priced(ledger: Ledger, change: UsagePriced) -> None:
    for entry in change.entries:
        known = ledger.usage(entry.task_id, entry.message_id)
        if known is not None and known.cost_micro_usd is None and known == _unpriced(entry):
            ledger.put_usage(entry)
            _add_up(ledger, known, entry)


def _unpriced(entry: UsageEntry) -> UsageEntry:
    return changed(entry, cost_micro_usd=None)


def _add_up(ledger: Ledger, before: UsageEntry | None, entry: UsageEntry) -> None:
    """Bring the sums of the entry's run in line with it, and those of everything."""
    task, run = ledger.task(entry.task_id), ledger.run(entry.task_id, entry.run_id)
    if task is None or run is None:
        return
    ledger.add_used(used(task, run, before, entry))
    tokens, cost, unpriced = _sums(entry)
    old_tokens, old_cost, old_unpriced = (0, 0, 0) if before is None else _sums(before)
    ledger.put_run(
        changed(
            run,
            tokens=run.tokens + tokens - old_tokens,
            cost_micro_usd=run.cost_micro_usd + cost - old_cost,
            unpriced=run.unpriced + unpriced - old_unpriced,
        )
    )


def _sums(entry: UsageEntry) -> tuple[int, int, int]:
    cost = entry.cost_micro_usd
    return entry.input_tokens + entry.output_tokens, cost or 0, int(cost is None)
