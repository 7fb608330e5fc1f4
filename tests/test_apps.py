"""Who an app is: the rules of docs/datasets.md."""

from __future__ import annotations

import pytest

from llmcensus import apps
from llmcensus.apps import FAMILIES, SUBCATEGORIES, App, identify, known_categories


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


@pytest.mark.parametrize(
    ("user_agent", "identity", "title", "category"),
    [
        ("claude-cli/2.1.0 (external, cli)", "https://claude.com#Claude Code", "Claude Code", "cli-agent"),
        ("codex_cli_rs/0.98.0 (Ubuntu 24.04; x86_64) xterm", "https://openai.com#Codex", "Codex", "cli-agent"),
        ("GeminiCLI/0.12.0/gemini-2.5-pro (linux; x64)", "https://geminicli.com", "Gemini CLI", "cli-agent"),
        ("Kilo-Code/4.99.0", "https://kilocode.ai", "Kilo Code", "ide-extension"),
        ("opencode/1.0.3 ai-sdk/provider-utils/3.0.9", "https://opencode.ai", "opencode", "cli-agent"),
        ("Zed/0.212.6 (macos; aarch64)", "https://zed.dev", "Zed", "programming-app"),
        ("Mozilla/5.0 (X11) Cursor/1.7 Chrome/138.0 Electron/37", "https://cursor.com", "Cursor", "programming-app"),
        (
            "Open WebUI (https://github.com/open-webui/open-webui)",
            "https://openwebui.com",
            "Open WebUI",
            "general-chat",
        ),
        ("n8n", "https://n8n.io", "n8n", "cloud-agent"),
    ],
)
def test_an_agent_is_known_by_its_user_agent(user_agent: str, identity: str, title: str, category: str) -> None:
    app = identify(None, None, None, user_agent)
    assert app == App(apps.app_id(identity), identity, title, (category,))


@pytest.mark.parametrize(
    "user_agent",
    [
        None,
        "",
        "OpenAI/Python 2.54.0",
        "litellm/1.108.7",
        "python-httpx/0.28.1",
        "Mozilla/5.0 (X11; Linux x86_64) Chrome/138.0",
        "my-cursor/1.0",
        "cursors/1.0",
        "to be continued",
        "a continue b",
        "curl/8.0",
    ],
)
def test_a_library_or_a_browser_is_no_app(user_agent: str | None) -> None:
    assert identify(None, "A Title", None, user_agent) is None


def test_a_referer_says_more_than_a_user_agent() -> None:
    app = identify("https://cline.bot", "Mine", "game", "claude-cli/2.1.0")
    assert app is not None
    assert (app.identity, app.title, app.categories) == ("https://cline.bot", "Mine", ("game",))
    local = identify("http://localhost:3000", None, None, "Cline/3.1.0")
    assert local is not None
    assert local.identity == "https://cline.bot"


def test_programs_of_one_maker_are_told_apart_in_addresses() -> None:
    assert apps.slug("https://claude.com#Claude Code") == "claude.com-claude-code"


def test_every_family_has_a_category_that_is_known() -> None:
    for name, family in FAMILIES.items():
        assert family.category in SUBCATEGORIES
        assert name == name.lower()
        found = identify(None, None, None, f"{name}/1.0")
        assert found is not None
        assert found.title == family.title


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
