"""
A model's name in a list of benchmarks → its permaslug and list price.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from llmcensus import permaslug
from llmcensus.benchmarks.items import UnifiedBenchmarkPricing
from llmcensus.catalog import Catalog, listed, unit_prices


class Names:
    """Resolves names as of a time; `unresolved` has those it could not, in order."""

    def __init__(self, catalog: Catalog, now: datetime) -> None:
        self._catalog = catalog
        self._now = now
        self.unresolved: dict[str, None] = {}

    def permaslug(self, *candidates: str) -> str:
        """Returns the permaslug of the first candidate that has one; else the first candidate, as it is."""
        for name in candidates:
            found = self._catalog.permaslug(name)
            # A name that has the form of a permaslug means itself, which says nothing of a name that was put together.
            if permaslug.known(found) and (found != name or name in listed() or len(candidates) == 1):
                return found
        self.unresolved[candidates[0]] = None
        return candidates[0]

    def pricing(self, slug: str, otherwise: tuple[Decimal, Decimal] | None = None) -> UnifiedBenchmarkPricing | None:
        """Returns the list price of a token, or the one that the source gives, or None."""
        return pricing(slug, self._now, otherwise)


def pricing(
    slug: str, at: datetime, otherwise: tuple[Decimal, Decimal] | None = None
) -> UnifiedBenchmarkPricing | None:
    """Returns the list price of a token at a time, or the one given, or None."""
    prices = unit_prices(slug, at) or otherwise
    return UnifiedBenchmarkPricing(*map(plain, prices)) if prices else None


def plain(amount: Decimal) -> str:
    """Returns a decimal as digits, never with an exponent: `0.0000025`, not `2.5e-06`."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
