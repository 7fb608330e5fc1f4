"""Numbers, days and prices as people read them. What is unknown is a dash, never 0."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

UNKNOWN = "–"
# What is between a number and its unit breaks no line.
NARROW = "\N{NARROW NO-BREAK SPACE}"
UNITS = ((10**15, "P"), (10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "K"))
MILLION = 1_000_000


def short(number: int | str | None) -> str:
    """Returns a number in three digits and a unit: `16.1 M`."""
    if number is None:
        return UNKNOWN
    count = int(number)
    for size, unit in UNITS:
        # From where it would be rounded up to the next unit.
        if count >= size * 0.9995:
            value = count / size
            return f"{value:.{max(0, 3 - len(str(int(value + 0.0005))))}f}{NARROW}{unit}"
    return f"{count:,}"


def whole(number: int | str | None) -> str:
    """Returns every digit of a number: `16,062,821`."""
    return UNKNOWN if number is None else f"{int(number):,}"


def percent(share: float | None) -> str:
    """Returns a share: `12.3 %`; of one that is not 0 never `0.0 %`."""
    if share is None:
        return UNKNOWN
    if 0 < share < 0.0005:
        return f"<{NARROW}0.1{NARROW}%"
    return f"{100 * share:.1f}{NARROW}%"


def change(growth: float | None) -> str:
    """Returns by how much something grew."""
    if growth is None:
        return UNKNOWN
    if growth >= 9.995:
        return f"×{NARROW}{growth + 1:,.0f}"
    return f"{100 * growth:+.0f}{NARROW}%".replace("-", "\N{MINUS SIGN}")


def price(per_token: str | None) -> str:
    """Returns USD a million tokens of a price a token."""
    if per_token is None:
        return UNKNOWN
    amount = Decimal(per_token) * MILLION
    digits = 2 if amount == 0 or amount >= Decimal("0.1") else 4
    return f"${amount:,.{digits}f}"


def money(dollars: float | None) -> str:
    """Returns USD with as many digits as a small amount needs."""
    if dollars is None:
        return UNKNOWN
    return f"${dollars:,.2f}" if dollars >= 1 else f"${dollars:.4f}"


def score(number: float | None) -> str:
    """Returns a score: an accuracy of 0 to 1, an index of up to a hundred, an Elo of a thousand or so."""
    if number is None:
        return UNKNOWN
    digits = 3 if abs(number) < 2 else 1 if abs(number) < 1000 else 0
    return f"{number:,.{digits}f}"


def day(text: str | date) -> str:
    """Returns a day: `23 Nov 2026`."""
    at = date.fromisoformat(text) if isinstance(text, str) else text
    return f"{at.day} {at:%b} {at.year}"


def moment(timestamp: str) -> str:
    """Returns a time to the minute: `24 Nov 2026, 13:20 UTC`."""
    return f"{day(timestamp[:10])}, {timestamp[11:16]} UTC"


def turns(turn_range: str) -> str:
    """Returns a range of turns: `2-9-turns` → `2–9`."""
    return turn_range.removesuffix("-turns").removesuffix("-turn").replace("50-plus", "50 or more").replace("-", "–")
