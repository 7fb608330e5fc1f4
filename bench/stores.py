"""Stores for benchmarks: cells of a year, without going through text."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

from llmcensus.apps import App, app_id
from llmcensus.cells import fold
from llmcensus.event import Event
from llmcensus.store import Store, registry, sessions, sql
from llmcensus.store.schema import cubes
from llmcensus.taxonomy import TAGS

FIRST = date(2025, 11, 1)
DAYS = 365
MODELS = 60
APPS = 120
TURNS = 8
TAG_NAMES = tuple(TAGS)
PORTION = 100_000


def fill(store: Store, generations: int = 200_000, shape: int = 200_000) -> None:
    """
    Adds so many generations of a year to a store, in sessions of eight.

    The first `shape` of them make its cells, all others fall into the same ones.
    """
    generator = Random(1)
    apps = [known(number) for number in range(APPS)]
    for start in range(0, generations, PORTION):
        numbers = range(start, min(start + PORTION, generations))
        events = [made(generator, number, number % shape // TURNS, apps) for number in numbers]
        with store.writing() as connection:
            for name, cells in fold(events).items():
                sql.add(connection, cubes[name], sorted((*key, *sums) for key, sums in cells.items()))
            registry.claim(connection, events)
            sessions.touch(connection)


def known(number: int) -> App:
    identity = f"https://app-{number:03}.example"
    return App(app_id(identity), identity, f"Application {number:03}", ("cli-agent",))


def made(generator: Random, number: int, place: int, apps: list[App]) -> Event:
    """`place` decides the cells: it goes round days, then models. A session has one."""
    day = FIRST + timedelta(days=place % DAYS)
    model = (place // DAYS) % MODELS
    app = apps[(place * 7) % APPS]
    prompt = generator.randrange(100, 9_000)
    return Event(
        key=number.to_bytes(16),
        fingerprint=bytes(8),
        source="bench",
        date=day.isoformat(),
        created_ms=number,
        permaslug=f"laboratory-{model % 7}/a-model-with-a-name-{model:02}",
        tag=TAG_NAMES[place % len(TAG_NAMES)],
        classifier="bench",
        context_bucket="10K",
        tools=0,
        modality="text",
        app=app,
        session=(number // TURNS).to_bytes(16),
        tokens_prompt=prompt,
        tokens_completion=prompt // 5,
        cost_nanousd=prompt * 2_000,
        priced=False,
        excluded=None,
    )
