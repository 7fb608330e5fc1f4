"""
The pages, a file each. `VIEWS` has the form of their paths; what is in brackets is given to the view.

A view gets what was asked and returns a `Page`; it knows nothing of HTTP or files.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from llmcensus.errors import NotFound
from llmcensus.pages.asked import Asked, Page
from llmcensus.pages.views import about, apps, benchmarks, models, overview, search, tasks

View = Callable[..., Page]

VIEWS: dict[str, View] = {
    "/": overview.overview,
    "/tasks": tasks.tasks,
    "/tasks/([^/]+)": tasks.task,
    "/models": models.models,
    "/models/([^/]+/[^/]+)": models.model,
    "/apps": apps.apps,
    "/apps/([0-9]{1,15})": apps.app,
    "/benchmarks": benchmarks.benchmarks,
    "/about": about.about,
    "/search": search.search,
}
PATTERNS = [(re.compile(pattern), view) for pattern, view in VIEWS.items()]


def made(asked: Asked) -> Page:
    """Returns the page at the path that was asked for. Raises `NotFound` where there is none."""
    for pattern, view in PATTERNS:
        if found := pattern.fullmatch(asked.here.path):
            return view(asked, *found.groups())
    raise NotFound("There is no such page")


__all__ = ["PATTERNS", "VIEWS", "made"]
