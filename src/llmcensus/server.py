"""Puts the application together and serves it."""

from __future__ import annotations

import logging
from functools import partial

import uvicorn
from uvicorn.supervisors import Multiprocess

from llmcensus import logs
from llmcensus.api import application, quota
from llmcensus.api.gate import ASGIApp
from llmcensus.classify import choose
from llmcensus.config import Settings
from llmcensus.ingest import Intake
from llmcensus.pages import Pages
from llmcensus.store import Clock, Store, utc_now
from llmcensus.taxonomy import in_force

HEALTHY_S = 60


def build(settings: Settings, store: Store, clock: Clock = utc_now) -> ASGIApp:
    taxonomy = in_force(settings.taxonomy)
    classifier = choose(settings, taxonomy)
    intake = Intake.open(store, classifier, settings.first_day, clock, taxonomy, settings.weights())
    app = application(store, intake, settings, clock)
    return Pages(app, store, settings, intake, clock) if settings.pages != "off" else app


def serve(settings: Settings, store: Store, log_level: int = logging.INFO) -> None:
    """Serves until it is stopped, in this process or in as many workers as the settings say."""
    if settings.workers > 1:
        # Said once here, not by each worker that cannot begin.
        quota.opened(settings, store)
        choose(settings, in_force(settings.taxonomy))
    # A worker is a new process: it is told how to make the application, not handed one.
    make = partial(_worker, settings) if settings.workers > 1 else partial(build, settings, store)
    config = uvicorn.Config(
        make,
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        log_config=logs.configuration(settings.log, log_level),
        server_header=False,
        ws="none",
        # Several workers that begin at once on few cores take longer than the five seconds they would be given.
        timeout_worker_healthcheck=HEALTHY_S,
    )
    if settings.workers > 1:
        Multiprocess(config, [config.bind_socket()]).run()
    else:
        uvicorn.Server(config).run()


def _worker(settings: Settings) -> ASGIApp:
    return build(settings, Store.open(settings.db, dedup_days=settings.dedup_days))
