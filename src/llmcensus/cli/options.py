"""What several commands share: the store they work on, numbers as text."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click
from rich.console import Console

from llmcensus import config
from llmcensus.config import SETTINGS, Settings
from llmcensus.store import Store
from llmcensus.taxonomy import Taxonomy, in_force

Command = TypeVar("Command", bound=Callable[..., Any])
HELP = {setting.name: f"{setting.help}  [default: {setting.default}]" for setting in SETTINGS}

# No markup: names of files, apps and models come from outside, and may look like it.
# Nothing is cut where it goes to a file or a pipe.
WIDE = 1000
out = Console(highlight=False, markup=False, emoji=False, soft_wrap=True, width=None if sys.stdout.isatty() else WIDE)
err = Console(highlight=False, markup=False, emoji=False, soft_wrap=True, stderr=True)


def setting(name: str) -> Callable[[Command], Command]:
    """Returns the option for a setting; not given, it is None, and the environment or the file decide."""
    return click.option(f"--{name.replace('_', '-')}", name, default=None, help=HELP[name])


@contextmanager
def opened(**overrides: str | None) -> Iterator[tuple[Store, Settings]]:
    """Gives the store that the settings name, and the settings."""
    settings = config.load(overrides)
    store = Store.open(settings.db, dedup_days=settings.dedup_days)
    try:
        yield store, settings
    finally:
        store.close()


def tags(taxonomy: str | None) -> Taxonomy:
    """Returns the taxonomy that the option names, or else the settings."""
    return in_force(config.load({"taxonomy": taxonomy}).taxonomy)


def percent(part: int, whole: int) -> str:
    """Returns a share as text; of nothing there is none."""
    return f"{100 * part / whole:.1f} %" if whole else "–"
