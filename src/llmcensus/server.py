"""Puts the application together and serves it."""

from __future__ import annotations

import logging

import uvicorn

from llmcensus.api import application
from llmcensus.api.gate import Gate
from llmcensus.config import Settings
from llmcensus.ingest import Intake
from llmcensus.store import Clock, Store, utc_now


def build(settings: Settings, store: Store, clock: Clock = utc_now) -> Gate:
    return application(store, Intake.open(store, settings.first_day, clock), settings, clock)


def serve(settings: Settings, store: Store, log_level: int = logging.INFO) -> None:
    """Serves until it is stopped. One process: rate limits are kept in its memory."""
    app = build(settings, store)
    uvicorn.run(app, host=settings.host, port=settings.port, log_level=log_level, server_header=False)
