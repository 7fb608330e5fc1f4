"""
Where pages link to: on a server, or in a folder of files.

A page is a path and what was chosen there, `/models` and `window=7d`. A server answers `/models?window=7d`; in a folder
it is the file `models/window-7d/index.html`, and links are relative, so that the folder may lie anywhere.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import NamedTuple, Protocol
from urllib.parse import quote, urlencode

# What has its meaning in a path, or none anywhere.
PLAIN = "/:+~,@!$&'()*;="
UNSAFE = re.compile(r"[^a-z0-9_.+~,\-]+")
LONGEST = 120


class Target(NamedTuple):
    """`query` is sorted pairs. `form` is `html`, or the form of the data of which `path` is the dataset."""

    path: str
    query: tuple[tuple[str, str], ...] = ()
    form: str = "html"

    @classmethod
    def of(cls, path: str, query: Mapping[str, str | None], form: str = "html") -> Target:
        return cls(path, tuple(sorted((name, value) for name, value in query.items() if value)), form)


class Address(Protocol):
    # Whether the choices that only a server can answer are offered: any dates, searching, logging out.
    served: bool

    def link(self, target: Target) -> str: ...

    def asset(self, name: str) -> str: ...


class Served:
    """Links on a server; `digests` name the assets' bytes, so that browsers may keep them for ever."""

    served = True

    def __init__(self, digests: Mapping[str, str]) -> None:
        self._digests = digests

    def link(self, target: Target) -> str:
        path = target.path if target.form == "html" else f"/data/{target.path}.{target.form}"
        return quote(path, safe=PLAIN) + (f"?{urlencode(target.query)}" if target.query else "")

    def asset(self, name: str) -> str:
        return f"/assets/{name}?{self._digests[name]}"


class Filed:
    """Links from one file of a folder to others; `wanted` are the pages and data that were linked to."""

    served = False

    def __init__(self, here: Target) -> None:
        self._up = "../" * file(here).count("/") or "./"
        self.wanted: dict[Target, None] = {}

    def link(self, target: Target) -> str:
        self.wanted[target] = None
        return self._up + quote(file(target).removesuffix("index.html"), safe=PLAIN.replace(":", ""))

    def asset(self, name: str) -> str:
        return f"{self._up}assets/{name}"


def file(target: Target) -> str:
    """Returns the file of a page or of data, relative to the folder. No two have the same on any file system."""
    path = [_safe(part) for part in target.path.split("/") if part]
    if target.form == "html":
        chosen = [_safe(f"{name}-{value}") for name, value in target.query]
        return "/".join([*path, *chosen, "index.html"])
    asked = _safe("_".join(f"{name}-{value}" for name, value in target.query) or "all")
    return "/".join(["data", *path, f"{asked}.{target.form}"])


def _safe(text: str) -> str:
    """Returns a name of a file; where it is not the text itself, with a digest of it, but for a single colon."""
    # A colon may not be in a file's name everywhere; a comma is in no name of a model or a task.
    plain = text.replace(":", ",", 1)
    name = UNSAFE.sub(",", plain)[:LONGEST]
    if name == plain and "," not in text and name.strip("."):
        return name
    return f"{name.strip('.')},{hashlib.blake2b(text.encode(), digest_size=6).hexdigest()}"
