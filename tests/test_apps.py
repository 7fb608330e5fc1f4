"""Who an app is: the rules of docs/datasets.md."""

from __future__ import annotations

import pytest

from llmcensus import apps
from llmcensus.apps import identify, known_categories


@pytest.mark.parametrize(
    "referer",
    [
        "https://cline.bot",
        "https://cline.bot/",
        "https://www.cline.bot/a/b?c#d",
        "https://cline.bot:8443/x",
        "HTTPS://CLINE.BOT",
        " https://cline.bot ",
        "cline.bot",
    ],
)
def test_an_app_is_scheme_and_host(referer: str) -> None:
    app = identify(referer, "Cline", None)
    assert app is not None
    assert app.identity == "https://cline.bot"


@pytest.mark.parametrize(
    "referer", [None, "", "  ", "https://", "ftp://x.example", "file:///etc", "https://a b/", "[::"]
)
def test_without_a_referer_there_is_no_app(referer: str | None) -> None:
    assert identify(referer, "A Title", None) is None


@pytest.mark.parametrize(
    "referer", ["http://localhost:3000", "http://127.0.0.1/", "http://[::1]:8080", "http://x.localhost"]
)
def test_localhost_counts_only_with_a_title(referer: str) -> None:
    assert identify(referer, None, None) is None
    mine, yours = identify(referer, "Mine", None), identify(referer, "Yours", None)
    assert mine is not None
    assert yours is not None
    assert mine.identity == "http://localhost#Mine"
    assert mine.app_id != yours.app_id


def test_an_id_is_stable_positive_and_exact_in_json() -> None:
    app = identify("https://cline.bot", None, None)
    assert app is not None
    assert app.app_id == apps.app_id("https://cline.bot") == 240372174637419
    assert 0 < app.app_id < 2**53


def test_a_title_is_one_printable_line() -> None:
    app = identify("https://a.example", "  My\n\x00 App\u202e " + "x" * 200, None)
    assert app is not None
    assert app.title is not None
    assert app.title.startswith("My App x")
    assert len(app.title) <= apps.LONGEST_TITLE
    assert app.title.isprintable()


@pytest.mark.parametrize(
    ("named", "known"),
    [
        ("cli-agent, game", ("cli-agent", "game")),
        ("nonsense,legal", ("legal",)),
        ("cli-agent,game,legal", ("cli-agent", "game")),
        ("Game,game", ("game",)),
        ("", ()),
        (",,", ()),
    ],
)
def test_at_most_two_known_categories_a_request(named: str, known: tuple[str, ...]) -> None:
    assert known_categories(named) == known
