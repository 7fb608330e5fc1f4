"""How good the shipped classifier is: the first figures of docs/classifier.md, which a wheel holds."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

# Beside this module in a wheel, in its place in a checkout.
FILES = (Path(__file__).with_name("classifier.md"), Path(__file__).parents[3] / "docs" / "classifier.md")
ROW = re.compile(r"^\| (sources [a-z ]+) \| ([\d,]+) \| \**([\d.]+)\** \| ([\d.]+) \|", re.MULTILINE)


class Figures(NamedTuple):
    """Agreement with annotators on checked requests; `kappa` is beyond chance."""

    of: str
    rows: str
    kappa: str
    accuracy: str


@cache
def figures() -> tuple[Figures, ...]:
    """Returns the figures, none where the file is not there."""
    file = next((file for file in FILES if file.exists()), None)
    return tuple(Figures(*row) for row in ROW.findall(file.read_text(encoding="utf-8"))) if file else ()
