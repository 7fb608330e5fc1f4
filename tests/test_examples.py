"""
The examples in the documentation of the API and of its clients run against a server of ours: only the URL is changed.

The documents are not in the repository. They were cut from web pages, so lines have numbers or prompts before them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from llmcensus.classify import Classifier
from tests.serving import Server
from tests.worlds import demonstration

# The examples of rankings ask for April 2026.
NOW = datetime(2026, 5, 12, 2, 0, tzinfo=UTC)
CLIENTS = Path(__file__).parent / "clients"
SITE = "https://openrouter.ai"

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def demo(shared: Path, tmp_path_factory: pytest.TempPathFactory, classifier: Classifier) -> Iterator[Server]:
    assert shared.is_dir()
    with demonstration(tmp_path_factory.mktemp("census"), classifier, NOW) as running:
        yield running


def document(shared: Path, number: str) -> str:
    (path,) = (shared / "reference").glob(f"{number}_*.md")
    return path.read_text()


def run(demo: Server, command: Sequence[str], folder: Path, **given: str) -> str:
    environment = os.environ | {"OPENROUTER_API_KEY": demo.key()} | given
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    return ran.stdout


def pointed(code: str, changes: Mapping[str, str]) -> str:
    """Returns the code with the server's URL put in at the one place that asks for it."""
    ((constructor, option),) = ((old, new) for old, new in changes.items() if old in code)
    assert code.count(constructor) == 1
    return code.replace(constructor, constructor + option)


def numbered(text: str) -> str:
    """Returns the first code whose lines begin with their numbers, without these."""
    lines: list[str] = []
    for line in text.splitlines():
        number = str(len(lines) + 1)
        if line.startswith(number):
            lines.append(line.removeprefix(number))
        elif lines:
            break
    return "\n".join(lines)


def shell(text: str) -> list[str]:
    """Returns the commands that were typed at a prompt (`$`, and `>` where one goes on), a script for each example."""
    typed = re.findall(r"(?:^[$>].*\n)+", text, re.MULTILINE)
    return [re.sub(r"^(\$|> ?)", "", block, flags=re.MULTILINE) for block in typed]


def values(text: str) -> list[Any]:
    """Returns the JSON values that follow one another in a text."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while at < len(text):
        value, at = decoder.raw_decode(text, at)
        found.append(value)
    return found


def test_the_python_example_prints_the_tasks(shared: Path, demo: Server, tmp_path: Path) -> None:
    code = numbered(document(shared, "003"))
    assert "get_task_classifications" in code
    (tmp_path / "example.py").write_text(pointed(code, {"OpenRouter(": f'server_url="{demo.url}/api/v1",'}))
    printed = run(demo, [sys.executable, "example.py"], tmp_path)
    assert "window_days=7" in printed
    assert printed.count("usage_share=") > 20


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.skipif(
    not (CLIENTS / "typescript" / "node_modules").is_dir(),
    reason="the client is not installed: run `npm ci` in tests/clients/typescript",
)
@pytest.mark.parametrize("number", [0, 1], ids=["method", "function"])
def test_the_typescript_examples_print_the_tasks(shared: Path, demo: Server, tmp_path: Path, number: int) -> None:
    examples = re.findall(r"^```typescript.*?\n(.*?)^```$", document(shared, "000"), re.MULTILINE | re.DOTALL)
    assert len(examples) == 2
    option = f' serverURL: "{demo.url}/api/v1",'
    # They have no types in them, so node runs them as they are.
    (tmp_path / "example.mjs").write_text(
        pointed(examples[number], {"new OpenRouter({": option, "new OpenRouterCore({": option})
    )
    (tmp_path / "node_modules").symlink_to(CLIENTS / "typescript" / "node_modules")
    printed = run(demo, ["node", "example.mjs"], tmp_path)
    assert "windowDays: 7" in printed
    assert "failed" not in printed


@pytest.mark.skipif(shutil.which("go") is None, reason="go is not installed")
def test_the_go_example_reads_the_tasks(shared: Path, demo: Server, tmp_path: Path) -> None:
    go = CLIENTS / "go"
    # What is not there is not fetched: that is for whoever installs, not for a test.
    offline = {"GOPROXY": "off"}
    asked = ["go", "list", "-m", "-f", "{{.Dir}}", "github.com/OpenRouterTeam/go-sdk"]
    module = subprocess.run(asked, cwd=go, env=os.environ | offline, capture_output=True, text=True).stdout.strip()
    if not module:
        pytest.skip("the client is not installed: run `go mod download` in tests/clients/go")
    if not (Path(module) / "classifications.go").exists():
        pytest.skip(f"{Path(module).name}, the version that tests/clients/go pins, has no Classifications")
    found = re.search(r"^package main$.*?^}$", document(shared, "002"), re.MULTILINE | re.DOTALL)
    assert found is not None
    for name in ("go.mod", "go.sum"):
        shutil.copy(go / name, tmp_path)
    option = f'openrouter.WithServerURL("{demo.url}/api/v1"),'
    (tmp_path / "main.go").write_text(pointed(found[0], {"openrouter.New(": option}))
    # It prints nothing; an error would be fatal to it.
    assert run(demo, ["go", "run", "."], tmp_path, **offline) == ""


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_shell_examples_print_data(shared: Path, demo: Server, tmp_path: Path) -> None:
    scripts = shell(document(shared, "004"))
    assert len(scripts) == 4
    for script in scripts:
        printed = values(run(demo, ["bash", "-ec", script.replace(SITE, demo.url)], tmp_path))
        assert len(printed) == script.count("curl ")
        assert all(answer["data"] for answer in printed), script
