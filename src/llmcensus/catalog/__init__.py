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
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any

from genai_prices import data_snapshot
from genai_prices.types import ModelInfo, Provider, TieredPrices, Usage

from llmcensus import permaslug as permaslug_

REGION = re.compile(r"^(us|us-gov|eu|apac|jp|au|ca|global)\.(?=[a-z0-9]+\.)")
REVISION = re.compile(r"(-v\d+)?(:\d+)$|-v\d+$")
DATED = re.compile(r"([-@](\d{8}|\d{4}-\d{2}-\d{2}|\d{2}-\d{2}|\d{2}-\d{4}|\d{4}|00\d)|-latest|-0)+$")
DOTTED = re.compile(r"(?<=\d)-(?=\d{1,2}(?!\d))")
NANO = 1_000_000_000
MTOK = 1_000_000
REMEMBERED = 100_000


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
    """
    Resolves names; the operator's own aliases, name as sent → permaslug, win over everything.

    Threads share it: aliases and what was resolved under them are replaced together, never changed apart.
    """

    def __init__(self, aliases: Mapping[str, str] | None = None) -> None:
        self._known: tuple[Mapping[str, str], dict[str, str]] = (dict(aliases or {}), {})
        self.version = table()["version"]

    def use(self, aliases: Mapping[str, str]) -> None:
        """Takes up the operator's aliases as they are now."""
        if aliases != self._known[0]:
            self._known = (dict(aliases), {})

    def permaslug(self, name: str) -> str:
        """Returns the permaslug of `name`, or `?` and the name where it is unknown."""
        aliases, resolved = self._known
        found = resolved.get(name)
        if found is None:
            found = aliases.get(name) or resolve(name) or permaslug_.unknown(name)
            # Names come from outside: what is remembered of them is bounded.
            if len(resolved) < REMEMBERED:
                resolved[name] = found
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
    while "/" in name and name not in listed():
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
    """
    Finds a maker's own name in the price list.

    The list also matches by beginnings, which is right for prices and a guess for names: `claude-3-opus-of-mine` is no
    `claude-3-opus`. So the name has to be the model's own, but for a date or revision at its end.
    """
    listed_as = next(_listed(author, name), None)
    if listed_as is not None:
        return listed_as
    try:
        _, model = data_snapshot.get_snapshot().find_provider_model(name, None, provider, None)
    except LookupError:
        return None
    known_as = model.id.lower()
    if undated(name) != undated(known_as):
        return None
    return next(_listed(author, known_as), f"{author}/{known_as}")


def undated(name: str) -> str:
    """Takes dates and revisions off a name's end: `-20241022`, `@20250929`, `-2024-05-13`, `-001`, `-latest`."""
    return DATED.sub("", name)


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


def unit_prices(permaslug: str, at: datetime) -> tuple[Decimal, Decimal] | None:
    """Returns the list prices of one prompt and one completion token in USD, or None if the list does not have them."""
    if permaslug.endswith(":free"):
        return Decimal(0), Decimal(0)
    model = listed().get(permaslug)
    if model is None or (":" in permaslug and permaslug != model.id):
        return None
    prices = model.get_prices(at)
    prompt, completion = _base(prices.input_mtok), _base(prices.output_mtok)
    if prompt is None or completion is None:
        return None
    return prompt / MTOK, completion / MTOK


def _base(price: Decimal | TieredPrices | None) -> Decimal | None:
    """Where longer prompts cost more, the price is that of short ones."""
    return price.base if isinstance(price, TieredPrices) else price


def nano(dollars: float) -> int:
    """Returns nano-dollars; exact for amounts of up to nine decimals and ten thousand dollars."""
    return round(dollars * NANO)
