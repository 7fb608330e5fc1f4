"""An import that is killed at any moment and run again leaves the cells of one that was not."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from llmcensus.demo import traffic
from llmcensus.store import Store
from tests.conftest import NOW
from tests.worlds import cells, counted

KILLS = 10
# Small batches, so that there are many commits to fall between.
PROGRAM = """
import sys
from llmcensus import ingest
ingest.BATCH_RECORDS = 700
from llmcensus.cli import main
main()
"""


def run(path: Path, url: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", PROGRAM, "import", str(path), "--db", url]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(path: Path, url: str) -> float:
    started = time.monotonic()
    process = run(path, url)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors.decode()
    return time.monotonic() - started


def found(url: str) -> object:
    store = Store.open(url)
    result = (cells(store), counted(store))
    store.close()
    return result


@pytest.fixture(scope="session")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shared = os.environ.get("LLMCENSUS_SHARED")
    if shared:
        return Path(shared) / "traffic" / "native-20k.jsonl.gz"
    path = tmp_path_factory.mktemp("traffic") / "demo.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in traffic(min(datetime.now(NOW.tzinfo), NOW), 12_000)))
    return path


def test_killed_at_ten_random_moments_it_counts_the_same(file: Path, tmp_path: Path) -> None:
    undisturbed, disturbed = (f"sqlite:///{tmp_path}/{name}.db" for name in ("undisturbed", "disturbed"))
    seconds = finish(file, undisturbed)
    generator = random.Random()  # noqa: S311 - another ten moments each time
    killed = 0
    for _ in range(KILLS):
        process = run(file, disturbed)
        try:
            process.wait(timeout=generator.uniform(0.4, 1) * seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            killed += 1
        process.communicate()
    finish(file, disturbed)
    assert killed > 0
    assert found(disturbed) == found(undisturbed)
