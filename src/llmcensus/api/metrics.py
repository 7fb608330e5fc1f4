"""
`/metrics`, as Prometheus reads it.

What was counted is read from the store: it is the same whichever process answers, and outlives them. The queue and the
answers to bodies are those of the process that is asked, and labelled with it.

See: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from llmcensus.api.credentials import presented
from llmcensus.api.inflow import AnyRequest, Room
from llmcensus.api.keyring import Keyring
from llmcensus.store import Store, Tally
from llmcensus.store.tally import REFUSED, UNJUDGED

PATH = "/metrics"
BUCKETS = (0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 30, 60)
# These only grow; the others shrink where spans turn out to be one call, or parts to be whole.
GROWING = {
    "duplicate": ("llmcensus_duplicates", "Records that were counted before."),
    "id_collision": ("llmcensus_id_collisions", "Accepted records under an id that another one had."),
}
STANDING = {
    "accepted": ("llmcensus_accepted", "Requests that are counted."),
    "ignored": ("llmcensus_ignored", "Records that tell of no request."),
    "part": ("llmcensus_parts", "Records that tell a part of a request of which more is to come, or came."),
    "private": ("llmcensus_private", "Accepted requests that are in no dataset because they are private."),
    "error": ("llmcensus_errors", "Accepted requests that are in no dataset because they failed."),
}


class Metrics:
    """What the routes of bodies note, and what is read when somebody asks."""

    def __init__(self, store: Store, room: Room, version: str) -> None:
        self._process = str(os.getpid())
        self.registry = CollectorRegistry()
        self.registry.register(Counted(store))
        self.registry.register(Held(room, version, self._process))
        self._bodies = Counter(
            "llmcensus_bodies",
            "Bodies by how they were answered.",
            ("route", "status", "process"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "llmcensus_body_seconds",
            "From the first byte of a body to its answer.",
            ("route", "process"),
            buckets=BUCKETS,
            registry=self.registry,
        )

    def note(self, route: str, status: int, seconds: float) -> None:
        self._bodies.labels(route, str(status), self._process).inc()
        self._seconds.labels(route, self._process).observe(seconds)


class Counted(Collector):
    """The counters of the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def describe(self) -> Iterable[Metric]:
        return ()  # else the store would be read when this is registered

    def collect(self) -> Iterator[Metric]:
        tally = self._store.tally()
        progress = self._store.progress()
        for name, (metric, text) in GROWING.items():
            yield by_source(CounterMetricFamily(metric, text, labels=("source",)), tally, name)
        for name, (metric, text) in STANDING.items():
            yield by_source(GaugeMetricFamily(metric, text, labels=("source",)), tally, name)
        yield by_reason(
            CounterMetricFamily("llmcensus_refused", "Records that were refused.", labels=("source", "reason")),
            tally,
            REFUSED,
        )
        yield by_reason(
            GaugeMetricFamily("llmcensus_unjudged", "Requests with text and no task.", labels=("source", "reason")),
            tally,
            UNJUDGED,
        )
        known = GaugeMetricFamily(
            "llmcensus_known", "Of how many accepted requests something is known.", labels=("source", "what")
        )
        for source in tally.sources():
            for what, count in tally.of(source).known().items():
                known.add_metric((source, what), count)
        yield known
        yield GaugeMetricFamily("llmcensus_waiting_requests", "Requests told in part.", progress.waiting)
        newest, counted = progress.newest_ms, progress.counted_ms
        for name, text, at in (
            ("llmcensus_newest_request_timestamp_seconds", "When the newest counted request was made.", newest),
            ("llmcensus_last_commit_timestamp_seconds", "When something was last counted.", counted),
        ):
            if at is not None:
                yield GaugeMetricFamily(name, text, at / 1000)


class Held(Collector):
    """What this process holds, and judges by."""

    def __init__(self, room: Room, version: str, process: str) -> None:
        self._room = room
        self._version = version
        self._process = process

    def collect(self) -> Iterator[Metric]:
        for name, text, value in (
            ("llmcensus_queue_bytes", "Bytes of bodies that are held until they are counted.", self._room.held),
            ("llmcensus_queue_bodies", "Bodies that are held until they are counted.", self._room.bodies),
            ("llmcensus_queue_limit_bytes", "The most bytes of bodies that are held.", self._room.limit),
        ):
            metric = GaugeMetricFamily(name, text, labels=("process",))
            metric.add_metric((self._process,), value)
            yield metric
        judges = GaugeMetricFamily("llmcensus_classifier_info", "By what requests are judged.", labels=("version",))
        judges.add_metric((self._version,), 1)
        yield judges


def by_source(metric: CounterMetricFamily | GaugeMetricFamily, tally: Tally, name: str) -> Metric:
    for source in tally.sources():
        metric.add_metric((source,), tally.counts[source, name])
    return metric


def by_reason(metric: CounterMetricFamily | GaugeMetricFamily, tally: Tally, prefix: str) -> Metric:
    for (source, name), count in sorted(tally.counts.items()):
        if name.startswith(prefix):
            metric.add_metric((source, name.removeprefix(prefix)), count)
    return metric


def route(keyring: Keyring, metrics: Metrics) -> HTTPRouteHandler:
    """What is refused, and how much is private, is not for everybody who may read: it takes a key of scope `ingest`."""

    @get(PATH, sync_to_thread=True)
    def read(request: AnyRequest) -> Response[bytes]:
        keyring.require(presented(request), "ingest")
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return read
