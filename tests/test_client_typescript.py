"""OpenRouter's official TypeScript client, as it is on npm, reads every dataset from a running server."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from llmcensus.classify import Classifier
from tests.conftest import NOW
from tests.worlds import demonstration

FOLDER = Path(__file__).parent / "clients" / "typescript"


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.skipif(
    not (FOLDER / "node_modules").is_dir(),
    reason="the client is not installed: run `npm ci` in tests/clients/typescript",
)
def test_its_own_tests_pass(tmp_path: Path, classifier: Classifier) -> None:
    with demonstration(tmp_path, classifier, NOW) as server:
        given = {
            "CENSUS_URL": f"{server.url}/api/v1",
            "CENSUS_KEY": server.key(),
            "CENSUS_OTHER_KEY": server.key(),
            "CENSUS_SPENT_KEY": server.key(),
        }
        ran = subprocess.run(
            ["node", "client.mjs"], cwd=FOLDER, env=os.environ | given, capture_output=True, text=True, timeout=120
        )
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
