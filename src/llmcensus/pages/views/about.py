"""`/about`: what the numbers are, how they were made, and how to use them."""

from __future__ import annotations

from llmcensus import __version__
from llmcensus.datasets.window import timestamp
from llmcensus.pages.asked import READ, Asked, Page
from llmcensus.pages.card import figures
from llmcensus.pages.views.overview import summed


def about(asked: Asked) -> Page:
    span = asked.span(windows_only=True)
    census = asked.read("census-daily", **span.dates())
    shown = {
        "span": span,
        "census": census,
        "totals": summed(census.answer.data),
        "taxonomy": asked.census.taxonomy,
        "first_day": asked.census.first_day,
        "figures": figures() if asked.about.shipped else (),
        "as_of": timestamp(asked.census.now),
        "datasets": READ.values(),
        "version": __version__,
    }
    return Page("about.html", "About", shown)
