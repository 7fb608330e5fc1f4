"""OpenRouter's official Go client reads from a running server what its newest release on the module proxy knows."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from llmcensus.classify import Classifier
from tests.conftest import NOW
from tests.worlds import demonstration

FOLDER = Path(__file__).parent / "clients" / "go"
# What is not there is not fetched: that is for whoever installs, not for a test.
OFFLINE = os.environ | {"GOPROXY": "off"}


def go(*arguments: str, **given: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["go", *arguments], cwd=FOLDER, env=OFFLINE | given, capture_output=True, text=True, timeout=600
    )


@pytest.mark.skipif(shutil.which("go") is None, reason="go is not installed")
def test_its_own_tests_pass(tmp_path: Path, classifier: Classifier) -> None:
    if go("list", "-deps", "-test", ".").returncode != 0:
        pytest.skip("the client is not installed: run `go mod download` in tests/clients/go")
    with demonstration(tmp_path, classifier, NOW) as server:
        ran = go(
            *("test", "-count=1", "."),
            CENSUS_URL=f"{server.url}/api/v1",
            CENSUS_KEY=server.key(),
            CENSUS_SPENT_KEY=server.key(),
        )
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
