"""Pages as HTML. Everything that is shown is escaped: names of apps and models come from anyone."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined

from llmcensus.pages import words
from llmcensus.pages.asked import Asked, Page
from llmcensus.pages.rows import FORMS
from llmcensus.pages.span import WINDOWS

# Browsers run, load and send nothing but what this server has.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'"
)
ASSETS = {
    "census.css": "text/css; charset=utf-8",
    "census.js": "text/javascript; charset=utf-8",
    "charts.js": "text/javascript; charset=utf-8",
    "d3.js": "text/javascript; charset=utf-8",
    "d3.LICENSE.txt": "text/plain; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
FILTERS = (
    words.short,
    words.whole,
    words.percent,
    words.change,
    words.price,
    words.money,
    words.score,
    words.day,
    words.moment,
    words.turns,
)


@cache
def assets() -> dict[str, bytes]:
    """Returns the files that pages load. What charts are drawn with is not there where it could not be fetched."""
    folder = resources.files(__package__) / "static"
    return {name: (folder / name).read_bytes() for name in ASSETS if (folder / name).is_file()}


@cache
def digests() -> dict[str, str]:
    return {name: hashlib.blake2b(body, digest_size=8).hexdigest() for name, body in assets().items()}


@cache
def environment() -> Environment:
    made = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update({function.__name__: function for function in FILTERS})
    made.globals.update(WINDOWS=WINDOWS, POLICY=POLICY, charts="d3.js" in assets(), forms=list(FORMS))
    return made


def html(asked: Asked, page: Page) -> bytes:
    template = environment().get_template(page.template)
    return template.render(asked=asked, title=page.title, **page.shown).encode()
