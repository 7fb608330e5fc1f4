"""
Attribution headers → the app that made a request.

An app is its `HTTP-Referer`: scheme and host, without `www.` and port; the path does not matter. A title alone makes no
app. localhost counts only with a title, which is then part of its identity. See: docs/datasets.md, "What an app is".
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

from llmcensus.printable import printable

CATEGORIES = {
    "coding": ("cli-agent", "ide-extension", "cloud-agent", "programming-app", "native-app-builder"),
    "creative": ("creative-writing", "video-gen", "image-gen", "audio-gen"),
    "productivity": ("writing-assistant", "general-chat", "personal-agent", "legal"),
    "entertainment": ("roleplay", "game"),
}
SUBCATEGORIES = frozenset(name for names in CATEGORIES.values() for name in names)
CATEGORIES_PER_REQUEST = 2
CATEGORIES_PER_APP = 10
LONGEST_TITLE = 100
LONGEST_HEADER = 500
LOCAL = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104 - compared with, not bound to


class App(NamedTuple):
    """`app_id` is made from `identity` alone, so that it is the same in every store and whatever came first."""

    app_id: int
    identity: str
    title: str | None
    categories: tuple[str, ...]


def identify(referer: str | None, title: str | None, categories: str | list[str] | None) -> App | None:
    """Returns the app that the headers name, or None where they name none."""
    if not referer:
        return None
    named = ",".join(categories) if isinstance(categories, list) else categories or ""
    # Cut before they are remembered: a path may be long, and is not needed.
    return _identify(referer[:LONGEST_HEADER], (title or "")[:LONGEST_HEADER], named[:LONGEST_HEADER])


@lru_cache(maxsize=16384)
def _identify(referer: str, title: str | None, categories: str) -> App | None:
    origin = _origin(referer)
    if origin is None:
        return None
    title = _clean(title)
    scheme, host = origin
    if host in LOCAL or host.endswith(".localhost"):
        if title is None:
            return None
        identity = f"{scheme}://localhost#{title}"
    else:
        identity = f"{scheme}://{host}"
    return App(app_id(identity), identity, title, known_categories(categories))


def app_id(identity: str) -> int:
    """Returns a positive 48-bit integer: exact in JSON; the chance that two of 100,000 apps share one is 2 in 10^5."""
    return int.from_bytes(hashlib.blake2b(identity.encode(), digest_size=6).digest()) or 1


def slug(identity: str) -> str:
    """
    Returns an app's name for addresses: its host, such as `cline.bot`; `localhost-my-bot` for a local one.

    Made from the identity alone, so it stays when the title changes.
    """
    scheme, _, rest = identity.partition("://")
    host, _, title = rest.partition("#")
    words = re.findall(r"[^\W_]+", title.lower())
    return "-".join([*(["http"] if scheme == "http" and not title else []), host, *words])


def known_categories(named: str) -> tuple[str, ...]:
    """Returns the first two known categories of a header's list; unknown ones are dropped without a word."""
    names = (name.strip().lower() for name in named.split(","))
    known = dict.fromkeys(name for name in names if name in SUBCATEGORIES)
    return tuple(known)[:CATEGORIES_PER_REQUEST]


def _origin(referer: str) -> tuple[str, str] | None:
    try:
        parts = urlsplit(referer.strip() if "://" in referer else f"https://{referer.strip()}")
        host = (parts.hostname or "").rstrip(".").removeprefix("www.")
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host or len(host) > 253 or not host.isprintable() or " " in host:
        return None
    return parts.scheme, host


def _clean(title: str | None) -> str | None:
    """A title is shown to the world: printable, one line, bounded."""
    words = " ".join(printable(title or "").split())
    return words[:LONGEST_TITLE].rstrip() or None
