"""
Attribution headers → the app that made a request.

An app is its `HTTP-Referer`: scheme and host, without `www.` and port; the path does not matter. A title alone makes no
app. localhost counts only with a title, which is then part of its identity. Without a referer that names an app, a
`User-Agent` does if it is that of an agent known here. See: docs/datasets.md, "What an app is".
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
LONGEST_AGENT = 200
LOCAL = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104 - compared with, not bound to


class App(NamedTuple):
    """`app_id` is made from `identity` alone, so that it is the same in every store and whatever came first."""

    app_id: int
    identity: str
    title: str | None
    categories: tuple[str, ...]


class Family(NamedTuple):
    """A program that is known by its user agent: what its referer would be, and which it is of several of one maker."""

    origin: str
    title: str
    category: str
    of_several: bool = False


# Names in user agents, in lower case → the program. Libraries and browsers are none: programs are made of them.
_CLAUDE_CODE = Family("https://claude.com", "Claude Code", "cli-agent", of_several=True)
_CODEX = Family("https://openai.com", "Codex", "cli-agent", of_several=True)
_COPILOT = Family("https://github.com", "GitHub Copilot", "ide-extension", of_several=True)
_KILO_CODE = Family("https://kilocode.ai", "Kilo Code", "ide-extension")
_OPEN_WEBUI = Family("https://openwebui.com", "Open WebUI", "general-chat")
_ROO_CODE = Family("https://roocode.com", "Roo Code", "ide-extension")
FAMILIES = {
    "aider": Family("https://aider.chat", "aider", "cli-agent"),
    "claude-cli": _CLAUDE_CODE,
    "claude-code": _CLAUDE_CODE,
    "cline": Family("https://cline.bot", "Cline", "ide-extension"),
    "codex": _CODEX,
    "codex-cli": _CODEX,
    "codex-tui": _CODEX,
    "codex_cli_rs": _CODEX,
    "codex_exec": _CODEX,
    "codex_sdk_ts": _CODEX,
    "codex_vscode": _CODEX,
    "continue": Family("https://continue.dev", "Continue", "ide-extension"),
    "cursor": Family("https://cursor.com", "Cursor", "programming-app"),
    "geminicli": Family("https://geminicli.com", "Gemini CLI", "cli-agent"),
    "githubcopilot": _COPILOT,
    "githubcopilotchat": _COPILOT,
    "goose": Family("https://block.github.io", "Goose", "cli-agent"),
    "kilo-code": _KILO_CODE,
    "kilocode": _KILO_CODE,
    "librechat": Family("https://librechat.ai", "LibreChat", "general-chat"),
    "n8n": Family("https://n8n.io", "n8n", "cloud-agent"),
    "open webui": _OPEN_WEBUI,
    "open-webui": _OPEN_WEBUI,
    "openwebui": _OPEN_WEBUI,
    "opencode": Family("https://opencode.ai", "opencode", "cli-agent"),
    "qwencode": Family("https://qwen.ai", "Qwen Code", "cli-agent", of_several=True),
    "roo-code": _ROO_CODE,
    "roocode": _ROO_CODE,
    "zed": Family("https://zed.dev", "Zed", "programming-app"),
}
# A name with its version, or alone, or before a comment.
AGENT = re.compile(
    rf"(?:^|[\s;(])({'|'.join(map(re.escape, sorted(FAMILIES, key=len, reverse=True)))})(?=/|$|\s\()", re.IGNORECASE
)


def identify(
    referer: str | None, title: str | None, categories: str | list[str] | None, user_agent: str | None = None
) -> App | None:
    """Returns the app that the headers name, or None where they name none."""
    if referer:
        named = ",".join(categories) if isinstance(categories, list) else categories or ""
        # Cut before they are remembered: a path may be long, and is not needed.
        app = _identify(referer[:LONGEST_HEADER], (title or "")[:LONGEST_HEADER], named[:LONGEST_HEADER])
        if app is not None:
            return app
    return _of_agent(user_agent[:LONGEST_AGENT]) if user_agent else None


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


@lru_cache(maxsize=16384)
def _of_agent(user_agent: str) -> App | None:
    found = AGENT.search(user_agent)
    if found is None:
        return None
    family = FAMILIES[found[1].lower()]
    identity = f"{family.origin}#{family.title}" if family.of_several else family.origin
    return App(app_id(identity), identity, family.title, (family.category,))


def app_id(identity: str) -> int:
    """Returns a positive 48-bit integer: exact in JSON; the chance that two of 100,000 apps share one is 2 in 10^5."""
    return int.from_bytes(hashlib.blake2b(identity.encode(), digest_size=6).digest()) or 1


def slug(identity: str) -> str:
    """
    Returns an app's name for addresses: its host, such as `cline.bot`; with words of its title where the host alone
    does not say which app it is, `localhost-my-bot`.

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
