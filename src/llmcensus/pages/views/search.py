"""`/search`: models, apps and tasks by a part of their names."""

from __future__ import annotations

from llmcensus.errors import BadParameter
from llmcensus.pages.asked import Asked, Page
from llmcensus.pages.views.every import every_app, every_model

DAYS = 90
LISTED = 50
LONGEST = 100


def search(asked: Asked) -> Page:
    text = " ".join(asked.query.get("q", "").split())
    if len(text) > LONGEST:
        raise BadParameter("q", text, f"at most {LONGEST} characters")
    wanted = text.casefold()
    models = [row for row in every_model(asked.census, DAYS) if wanted in row.model_permaslug.casefold()]
    apps = [row for row in every_app(asked.census, DAYS) if wanted in row.app_name.casefold()]
    tasks = [(tag, name) for tag, name in asked.census.taxonomy.tags.items() if wanted in f"{tag} {name}".casefold()]
    if not wanted:
        models, apps, tasks = [], [], []
    shown = {
        "text": text,
        "days": DAYS,
        "models": models[:LISTED],
        "apps": apps[:LISTED],
        "tasks": tasks,
        "found": len(models) + len(apps) + len(tasks),
        "listed": LISTED,
    }
    return Page("search.html", f"Search: {text}" if text else "Search", shown)
