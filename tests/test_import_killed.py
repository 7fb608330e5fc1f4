"""An import that is killed at any moment and run again leaves the cells of one that was not."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from llmcensus.store import Store
from tests.conftest import NOW
from tests.worlds import cells, counted, traffic_file

KILLS = 10
# Small batches, so that there are many commits to fall between.
PROGRAM = """
from llmcensus import ingest
ingest.BATCH_RECORDS = 300
from llmcensus.cli import main
main()
"""


def run(path: Path, url: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", PROGRAM, "import", str(path), "--db", url]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(path: Path, url: str) -> None:
    process = run(path, url)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors.decode()


def found(url: str) -> object:
    store = Store.open(url)
    result = (cells(store), counted(store))
    store.close()
    return result


@pytest.fixture(scope="session")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # The command runs by the machine's clock: nothing of it may be in its future.
    return traffic_file(tmp_path_factory.mktemp("traffic"), min(datetime.now(NOW.tzinfo), NOW))


def position(url: str) -> tuple[int, bool]:
    """Returns how many lines of the file are committed, and whether it is finished."""
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=30)
    try:
        row = connection.execute("SELECT lines, finished_at IS NOT NULL FROM imports").fetchone()
    except sqlite3.OperationalError:
        row = None  # killed before the tables were made
    finally:
        connection.close()
    return (row[0], bool(row[1])) if row else (0, False)


def test_killed_at_ten_random_moments_it_counts_the_same(file: Path, tmp_path: Path) -> None:
    undisturbed, disturbed = (f"sqlite:///{tmp_path}/{name}.db" for name in ("undisturbed", "disturbed"))
    finish(file, undisturbed)
    generator = random.Random()  # noqa: S311 - another ten moments each time
    inside = []
    for _ in range(KILLS):
        before, _ = position(disturbed)
        process = run(file, disturbed)
        while position(disturbed)[0] == before and process.poll() is None:
            time.sleep(0.002)
        # After a commit that we saw: into the next batch, or its commit.
        time.sleep(generator.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        lines, finished = position(disturbed)
        if not finished:
            inside.append(lines)
    finish(file, disturbed)
    assert len(set(inside)) >= KILLS // 2
    assert found(disturbed) == found(undisturbed)
