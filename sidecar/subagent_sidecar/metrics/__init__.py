"""`/metrics`: what is counted of the record, and how all of it is told.

`record` follows the record of events, `page` answers scrapes, `exposition` speaks Prometheus'
formats and is loaded with the first scrape.
"""

from .page import Page
from .record import RecordFigures

__all__ = ["Page", "RecordFigures"]
