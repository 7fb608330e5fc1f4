"""
Fetches what charts are drawn with: the modules of D3 that `charts/package-lock.json` names, from the npm registry.

Each archive is checked against the hash in the lock file. Their browser builds are joined, in the order in which they
need each other, into `static/d3.js` of the pages, their licences into `static/d3.LICENSE.txt`. No node is needed. The
registry is npm's own setting: `npm_config_registry`, or `registry` in an `.npmrc` of the project or of the user.

A wheel is not built without them. An editable install is, and says so: pages are tables then.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import sys
import tarfile
import urllib.request
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent
STATIC = ROOT / "src" / "llmcensus" / "pages" / "static"
SCRIPT, LICENCES = STATIC / "d3.js", STATIC / "d3.LICENSE.txt"
LOCK = ROOT / "charts" / "package-lock.json"
# Where npm looks if nobody says otherwise.
REGISTRY = "https://registry.npmjs.org/"
SECONDS = 60


class CustomBuildHook(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        try:
            made()
        except OSError as error:
            if version != "editable":
                raise
            sys.stderr.write(f"No charts, so pages will be tables: {error}. `make install` tries again.\n")
        build_data["artifacts"] += [str(path.relative_to(ROOT)) for path in (SCRIPT, LICENCES) if path.exists()]


def made() -> None:
    """Makes the two files, unless they were made of this lock file."""
    lock = LOCK.read_bytes()
    stamp = f"/* Made of {hashlib.sha256(lock).hexdigest()} */\n"
    if SCRIPT.exists() and LICENCES.exists() and SCRIPT.read_text().startswith(stamp):
        return
    scripts, licences = [], []
    for name, about in ordered(json.loads(lock)["packages"]):
        script, licence = unpacked(name, fetched(name, about["version"], about["integrity"]))
        scripts.append(script)
        licences.append(f"{name} {about['version']}\n\n{licence}")
    LICENCES.write_text("\n".join(licences))
    SCRIPT.write_text(stamp + ";\n".join(scripts))


def ordered(packages: dict[str, Any]) -> list[tuple[str, Any]]:
    """Returns the modules of D3, each after those it needs. The builds have what else they need inside."""
    modules = {path.removeprefix("node_modules/"): about for path, about in packages.items()}
    order: dict[str, Any] = {}

    def add(name: str) -> None:
        for needed in modules[name].get("dependencies", {}):
            if needed.startswith("d3-") and needed not in order:
                add(needed)
        order[name] = modules[name]

    for name in sorted(modules):
        if name.startswith("d3-") and name not in order:
            add(name)
    return list(order.items())


def fetched(name: str, version: str, integrity: str) -> bytes:
    url = f"{registry().rstrip('/')}/{name}/-/{name}-{version}.tgz"
    with urllib.request.urlopen(url, timeout=SECONDS) as answer:
        archive: bytes = answer.read()
    method, _, expected = integrity.partition("-")
    found = base64.b64encode(hashlib.new(method, archive).digest()).decode()
    if found != expected:
        raise OSError(f"{url} has the {method} {found}: expected {expected}, as in {LOCK.name}")
    return archive


def registry() -> str:
    """Returns the address that npm would ask."""
    for variable, value in os.environ.items():
        if variable.lower() == "npm_config_registry" and value:
            return value
    for file in (ROOT / ".npmrc", Path.home() / ".npmrc"):
        if file.exists() and (found := re.search(r"^\s*registry\s*=\s*(\S+)", file.read_text(), re.MULTILINE)):
            return found[1]
    return REGISTRY


def unpacked(name: str, archive: bytes) -> tuple[str, str]:
    """Returns the browser build in an archive, and its licence."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        members = (files.extractfile(f"package/{path}") for path in (f"dist/{name}.min.js", "LICENSE"))
        script, licence = (member.read().decode() for member in members if member is not None)
    return script, licence


if __name__ == "__main__":
    made()
