"""
A model's name as sent → permaslug; tokens → price.

A permaslug is `author/slug`, with `:variant` where the variant is not the default. A name of that form stays what it
is. Names that vendors, Azure and Bedrock give are resolved by an alias table (`aliases.toml`, and the store's own) and
by the names that the price list `genai-prices` knows. What cannot be resolved is unknown; nothing is guessed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Any

from genai_prices import data_snapshot
from genai_prices.types import ModelInfo, Provider, Usage

from llmcensus import permaslug as permaslug_

REGION = re.compile(r"^(us|us-gov|eu|apac|jp|au|ca|global)\.(?=[a-z0-9]+\.)")
REVISION = re.compile(r"(-v\d+)?(:\d+)$|-v\d+$")
DOTTED = re.compile(r"(?<=\d)-(?=\d{1,2}(?!\d))")
NANO = 1_000_000_000


@cache
def table() -> dict[str, Any]:
    """Returns the alias table shipped with the package."""
    return tomllib.loads(resources.files(__package__).joinpath("aliases.toml").read_text())


@cache
def listed() -> dict[str, ModelInfo]:
    """Returns the permaslugs that OpenRouter lists, with their prices; a variant also vouches for its default."""
    models = {model.id: model for model in _openrouter().models if "/" in model.id}
    return {slug.split(":")[0]: model for slug, model in models.items()} | models


@cache
def _openrouter() -> Provider:
    return next(provider for provider in data_snapshot.get_snapshot().providers if provider.id == "openrouter")


class Catalog:
    """Resolves names; `aliases` are the operator's own, name as sent → permaslug, and win over everything."""

    def __init__(self, aliases: Mapping[str, str] | None = None) -> None:
        self._aliases = dict(aliases or {})
        self._resolved: dict[str, str] = {}
        self.version = table()["version"]

    def use(self, aliases: Mapping[str, str]) -> None:
        """Takes up the operator's aliases as they are now."""
        if aliases != self._aliases:
            self._aliases = dict(aliases)
            self._resolved.clear()

    def permaslug(self, name: str) -> str:
        """Returns the permaslug of `name`, or `?` and the name where it is unknown."""
        found = self._resolved.get(name)
        if found is None:
            found = self._aliases.get(name) or resolve(name) or permaslug_.unknown(name)
            # Names come from outside: what is remembered of them is bounded.
            if len(self._resolved) > 100_000:
                self._resolved.clear()
            self._resolved[name] = found
        return found


def resolve(name: str) -> str | None:
    """Returns the permaslug for a name as any vendor writes it, or None."""
    bare = without_host(name.strip())
    if "/" in bare:
        return bare if permaslug_.valid(bare) else None
    bare = REGION.sub("", bare.lower())
    vendor, dot, rest = bare.partition(".")
    if dot and vendor in table()["vendors"]:
        return _of_author(table()["vendors"][vendor], REVISION.sub("", rest).replace("@", "-"))
    aliases: dict[str, str] = table()["aliases"]
    return aliases.get(bare) or aliases.get(REVISION.sub("", bare)) or _by_name(bare)


def without_host(name: str) -> str:
    """Strips the segments that say where a model is served: `openrouter/openai/gpt-4o` → `openai/gpt-4o`."""
    while "/" in name:
        first, rest = name.split("/", 1)
        if first.lower() in table()["hosts"] or (first == "openrouter" and "/" in rest):
            name = rest
        else:
            break
    return name


def _of_author(author: str, name: str) -> str | None:
    alias: str | None = table()["aliases"].get(name)
    by_list = (_by_price_list(provider, author, name) for provider in table()["authors"] if _slug(provider) == author)
    return alias or next(filter(None, by_list), None) or next(_listed(author, name), None)


def _by_name(name: str) -> str | None:
    """Finds the maker of a bare name: only names that begin as the maker's own do, never those of hosts."""
    for provider, author in table()["authors"].items():
        if name.startswith(tuple(author["begins"])):
            return _by_price_list(provider, author["slug"], name)
    return None


def _by_price_list(provider: str, author: str, name: str) -> str | None:
    try:
        _, model = data_snapshot.get_snapshot().find_provider_model(name, None, provider, None)
    except LookupError:
        return next(_listed(author, name), None)
    known_as = model.id.lower()
    return next(_listed(author, name), None) or next(_listed(author, known_as), f"{author}/{known_as}")


def _slug(provider: str) -> str:
    slug: str = table()["authors"][provider]["slug"]
    return slug


def _listed(author: str, name: str) -> Iterator[str]:
    return (slug for slug in spellings(author, name) if slug in listed())


def spellings(author: str, name: str) -> Iterator[str]:
    """Yields how a vendor's name may be written as a permaslug: `claude-3-5-haiku-latest` → `…/claude-3.5-haiku`."""
    for short in dict.fromkeys((name, name.removesuffix("-latest"), name.removesuffix("-0"), f"{name}-v1")):
        yield f"{author}/{short}"
        yield f"{author}/{DOTTED.sub('.', short)}"


def price(
    permaslug: str,
    tokens_prompt: int,
    tokens_completion: int,
    tokens_cached: int | None,
    at: datetime,
) -> int | None:
    """Returns the list price in nano-dollars of a request made at `at`, or None if the list does not have it."""
    if permaslug.endswith(":free"):
        return 0
    model = listed().get(permaslug)
    if model is None or (":" in permaslug and permaslug != model.id):
        return None
    usage = Usage(input_tokens=tokens_prompt, output_tokens=tokens_completion, cache_read_tokens=tokens_cached or 0)
    try:
        found = model.calc_price(usage, _openrouter(), genai_request_timestamp=at)
    except (LookupError, ValueError):
        # More cached than prompt tokens, or no price in force at that time.
        return None
    return int((found.total_price * NANO).to_integral_value())


def nano(dollars: float) -> int:
    """Returns nano-dollars; exact for amounts of up to nine decimals and a million dollars."""
    return round(dollars * NANO)
