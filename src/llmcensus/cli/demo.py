"""`llmcensus demo`: a census to look at, in one command."""

from __future__ import annotations

import logging
import signal
import socket
import sys
import tempfile
import time
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import click
import msgspec

from llmcensus import config, server
from llmcensus.benchmarks import Names, read
from llmcensus.catalog import Catalog
from llmcensus.classify import choose
from llmcensus.cli.imports import bar
from llmcensus.cli.options import out, setting
from llmcensus.config import Settings
from llmcensus.demo import REQUESTS, scores, traffic
from llmcensus.errors import ConfigError
from llmcensus.ingest import Intake
from llmcensus.store import Store, benchmarks, keys, utc_now
from llmcensus.taxonomy import in_force
from llmcensus.wire import named
from llmcensus.wire.lines import Line

BATCH = 4096

GUIDE = """
A demo census: {requests:,} synthetic requests of the last 90 days, counted in {seconds:.0f} s.
Look at it: {url} - press Ctrl+C to stop; the data goes with it.

  export KEY={key}

Which apps use most? What are models used for? Which models? What does a session cost?

  curl -H "Authorization: Bearer $KEY" "{url}/api/v1/datasets/app-rankings?category=coding&limit=5"
  curl -H "Authorization: Bearer $KEY" "{url}/api/v1/classifications/task?window=7d"
  curl -H "Authorization: Bearer $KEY" "{url}/api/v1/datasets/rankings-daily?period=week"
  curl -H "Authorization: Bearer $KEY" "{url}/api/v1/datasets/session-cost?app_slug=loomcode.example"

The same in Python, with OpenRouter's official client (pip install openrouter):

  from openrouter import OpenRouter
  with OpenRouter(api_key="{key}", server_url="{url}/api/v1") as client:
      for task in client.classifications.get_task_classifications(window="7d").data.classifications[:5]:
          print(f"{{task.usage_share:6.1%}}  {{task.display_name}}")
"""


@click.command("demo")
@setting("host")
@setting("port")
@click.option("--requests", default=REQUESTS, show_default=True, type=click.IntRange(1), help="How many to make up.")
def command(host: str | None, port: str | None, requests: int) -> None:
    """Build a census of synthetic traffic in a temporary folder, and serve it."""
    # Told to end, it ends as with Ctrl+C: through the `with` below, which takes the folder away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with tempfile.TemporaryDirectory(prefix="llmcensus-demo-", ignore_cleanup_errors=True) as folder:
        db = f"sqlite:///{Path(folder) / 'demo.db'}"
        # Made-up requests are worth nobody's money: they are judged by what is shipped.
        ours = {"classifier": "", "taxonomy": "", "pages": "public"}
        settings = config.load({"db": db, "host": host, "port": port, **ours})
        require_free(settings)
        started = time.monotonic()
        store = Store.open(settings.db)
        build(store, settings, requests)
        with store.writing() as connection:
            key = keys.create(connection, "demo", "read", store.now_ms())
        score(store)
        url = f"http://{'localhost' if settings.host in ('127.0.0.1', '0.0.0.0') else settings.host}:{settings.port}"  # noqa: S104
        out.print(GUIDE.format(requests=requests, seconds=time.monotonic() - started, url=url, key=key))
        server.serve(settings, store, logging.WARNING)


def build(store: Store, settings: Settings, requests: int) -> None:
    """Sends the synthetic traffic through the real pipeline."""
    taxonomy = in_force(settings.taxonomy)
    intake = Intake.open(store, choose(settings, taxonomy), settings.first_day, taxonomy=taxonomy)
    lines = traffic(datetime.now(UTC), requests)
    with bar("{task.completed:,.0f} records") as progress:
        task = progress.add_task("counting synthetic requests", total=requests)
        while batch := [Line(number, data) for number, data in enumerate(islice(lines, BATCH), 1)]:
            intake.take(named("native"), batch)
            progress.update(task, advance=len(batch))


def score(store: Store) -> None:
    """Imports benchmarks of models that do not exist."""
    reading = read(msgspec.json.encode(scores()), Names(Catalog(), utc_now()))
    with store.writing() as connection:
        benchmarks.record(connection, store.now_ms(), reading.encoded())


def require_free(settings: Settings) -> None:
    """Fails before the work, not after it, where the port is taken."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise ConfigError(
                f"Cannot listen on {settings.host}:{settings.port} ({error.strerror}): choose another with --port"
            ) from error
