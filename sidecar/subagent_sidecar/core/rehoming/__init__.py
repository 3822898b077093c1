"""Spans of others, brought into the traces of the tasks that they are of. Pure.

An agent server that is instrumented writes a trace of its own for every run, and knows nothing of
the tree that the run is in. But its spans say which thread and run they are of (`mentions`), and
the record knows those (`homes`). So each of their traces has a fate:

- It is that of a task's tree already: it passes unchanged.
- One of its spans names a task: all its spans move into the tree's trace. What was a root comes
  under the run's span, everything else stays where it was (`rewriting`).
- It names a session that is nobody's task, as a supervisor's own does: it passes unchanged.
- It names nobody who is on record: it is held for a while, since what says more may follow, and
  then passes unchanged (`traces`).

In mode `link` nothing moves: the roots of what would have been moved get a link to the run's span,
and only roots are ever held. A trace that was passed on in part is treated like that, too: moving
the rest would tear it.

The spans are those of the OTLP protocol, whoever made them: read and changed in place, since copies
would cost more than all the rest.
"""
