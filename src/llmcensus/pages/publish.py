"""
Pages and the data behind them as a folder of files, for any web host.

Everything that is linked to is written, beginning with the overview. All of it is as of one moment, so the same store
gives the same bytes. `SHA256SUMS` lists the files, in the form that `sha256sum --check` reads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from llmcensus.config import Settings
from llmcensus.datasets import Census
from llmcensus.errors import InputError
from llmcensus.pages.address import Filed, Target, file
from llmcensus.pages.asked import About, Asked, Readings
from llmcensus.pages.render import assets, html
from llmcensus.pages.rows import FORMS
from llmcensus.pages.views import made
from llmcensus.store import Store
from llmcensus.taxonomy import Taxonomy

SUMS = "SHA256SUMS"


def moment(store: Store, now: datetime) -> datetime:
    """Returns the midnight after the newest day that is over, so that the store decides it and not the time of day."""
    today = now.astimezone(UTC).date()
    newest = store.newest_day()
    day = min(date.fromisoformat(newest) + timedelta(days=1), today) if newest else today
    return datetime.combine(day, time(), UTC)


def publish(store: Store, settings: Settings, taxonomy: Taxonomy, classifier: str, at: datetime, folder: Path) -> int:
    """
    Writes the files; returns how many. What an earlier time wrote and is no longer there is removed.

    Raises `InputError` for a folder that has something else in it.
    """
    before = listed(folder)
    readings = Readings(Census.of(store, at, settings, taxonomy), at_once=True)
    sums: dict[str, str] = {}
    for name, body in files(readings, About.of(settings, classifier)):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        sums[name] = hashlib.sha256(body).hexdigest()
    for name in before - sums.keys():
        remove(folder, name)
    (folder / SUMS).write_text("".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items())))
    return len(sums)


def files(readings: Readings, about: About) -> Iterator[tuple[str, bytes]]:
    """Yields names and bodies: pages as they are linked to, and what they load."""
    for name, body in assets().items():
        yield f"assets/{name}", body
    wanted = {Target("/"): None}
    done: set[Target] = set()
    while wanted:
        target, _ = wanted.popitem()
        done.add(target)
        if target.form != "html":
            yield file(target), FORMS[target.form](readings.read(target.path, dict(target.query)).answer)
            continue
        address = Filed(target)
        asked = Asked(readings, about, address, target, dict(target.query))
        yield file(target), html(asked, made(asked))
        wanted |= {found: None for found in address.wanted if found not in done}


def listed(folder: Path) -> set[str]:
    """Returns the files that an earlier time wrote."""
    sums = folder / SUMS
    if sums.exists():
        return {line.partition("  ")[2] for line in sums.read_text().splitlines()}
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} has something in it that was not published: expected a new or an empty folder")
    return set()


def remove(folder: Path, name: str) -> None:
    """Removes a file, and the folders that have nothing more in them; a name that leads out of the folder is let be."""
    path = (folder / name).resolve()
    if folder.resolve() not in path.parents:
        return
    path.unlink(missing_ok=True)
    for parent in path.parents:
        if parent == folder.resolve() or not parent.is_dir() or any(parent.iterdir()):
            break
        parent.rmdir()
