"""A tab of Chromium, and everything that goes wrong in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

Scheme: TypeAlias = Literal["light", "dark"]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Site(Protocol):
    @property
    def url(self) -> str: ...


@dataclass
class Visit:
    """A tab, and everything that went wrong in it."""

    page: Page
    site: Site
    wrong: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        self.page.goto(self.site.url + path)

    def cells(self, table: str) -> list[list[str]]:
        """Returns the exact values of a table: what cells stand for, else their text."""
        found: list[list[str]] = self.page.eval_on_selector(
            table,
            "t => [...t.tBodies[0].rows].map(r => [...r.cells].map(c => c.dataset.value ?? c.textContent.trim()))",
        )
        return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    playwright_ = pytest.importorskip("playwright.sync_api", reason="not installed: uv sync --group browser")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with playwright_.sync_playwright() as playwright:
        # Chromium's own sandbox cannot be had by root, as who runs a container often is.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield running
        running.close()


@contextmanager
def visiting(
    browser: Browser, site: Site, scheme: Scheme = "light", width: int = 1280, **options: Any
) -> Iterator[Visit]:
    context: BrowserContext = browser.new_context(
        color_scheme=scheme,
        viewport={"width": width, "height": 900},
        reduced_motion="reduce",
        **options,
    )
    visit = Visit(context.new_page(), site)
    listen(visit)
    yield visit
    context.close()
    assert visit.wrong == []


def listen(visit: Visit) -> None:
    """Notes errors, violations of the policy, and whatever is asked of anyone but the server."""

    def said(message: Any) -> None:
        # That a page is not there, or not for everyone, is said by the browser itself.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            visit.wrong.append(message.text)

    def asked(request: Any) -> None:
        if not request.url.startswith((visit.site.url, "data:", "blob:")):
            visit.wrong.append(f"asked for {request.url[:80]}")

    visit.page.on("console", said)
    visit.page.on("pageerror", lambda error: visit.wrong.append(str(error)))
    visit.page.on("request", asked)
    visit.page.on("dialog", lambda dialog: visit.wrong.append(f"dialog {dialog.message[:80]}"))
