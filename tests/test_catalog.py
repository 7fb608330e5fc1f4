"""Names as sent resolve to permaslugs; what means nothing stays unknown; prices are the list's."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from llmcensus import catalog, permaslug
from llmcensus.catalog import Catalog, resolve
from llmcensus.errors import InputError

AT = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "name",
    [
        "openai/gpt-4o",
        "openai/gpt-4o-2024-05-13:free",
        "openlab/tail-model-05",
        "openrouter/auto",
        "x-ai/grok-4.5-fast",
    ],
)
def test_a_permaslug_stays_what_it_is(name: str) -> None:
    assert resolve(name) == name


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("gpt-4o", "openai/gpt-4o"),
        ("GPT-4o", "openai/gpt-4o"),
        ("gpt-4o-2024-05-13", "openai/gpt-4o-2024-05-13"),
        ("gpt-4o-mini-2024-07-18", "openai/gpt-4o-mini"),
        ("claude-3-5-sonnet-20241022", "anthropic/claude-3.5-sonnet"),
        ("claude-opus-4-1-20250805", "anthropic/claude-opus-4.1"),
        ("claude-sonnet-4-5@20250929", "anthropic/claude-sonnet-4.5"),
        ("azure/gpt-4o", "openai/gpt-4o"),
        ("gpt-35-turbo", "openai/gpt-3.5-turbo"),
        ("us.anthropic.claude-sonnet-4-20250514-v1:0", "anthropic/claude-sonnet-4"),
        ("bedrock/us.anthropic.claude-3-5-haiku-20241022-v1:0", "anthropic/claude-3.5-haiku"),
        ("meta.llama3-1-70b-instruct-v1:0", "meta-llama/llama-3.1-70b-instruct"),
        ("amazon.nova-pro-v1:0", "amazon/nova-pro-v1"),
        ("models/gemini-2.5-pro", "google/gemini-2.5-pro"),
        ("vertex_ai/claude-sonnet-4-5@20250929", "anthropic/claude-sonnet-4.5"),
        ("gemini/gemini-2.5-flash", "google/gemini-2.5-flash"),
        ("openrouter/openai/gpt-4o:free", "openai/gpt-4o:free"),
        ("mistral/mistral-large-2512", "mistralai/mistral-large-2512"),
        ("glm-4.6", "z-ai/glm-4.6"),
        ("ollama/llama3.1:8b", "meta-llama/llama-3.1-8b-instruct"),
    ],
)
def test_names_of_vendors_and_hosts_resolve(name: str, slug: str) -> None:
    assert resolve(name) == slug


@pytest.mark.parametrize(
    "name", ["demo-chat", "gpt-4o-my-deployment", "claude-unknown-9", "a b/c", "/x", "azure/", " "]
)
def test_what_means_nothing_is_unknown(name: str) -> None:
    assert resolve(name) is None
    assert not permaslug.known(Catalog().permaslug(name))


def test_what_is_listed_stays_what_it_is() -> None:
    changed = {slug: resolve(slug) for slug in catalog.listed() if permaslug.valid(slug) and resolve(slug) != slug}
    assert changed == {}


def test_an_unknown_name_can_be_read_back() -> None:
    assert permaslug.sent(Catalog().permaslug("demo-chat")) == "demo-chat"


def test_an_alias_of_the_operator_wins() -> None:
    assert Catalog({"gpt-4o": "acme/tuned"}).permaslug("gpt-4o") == "acme/tuned"


def test_every_alias_is_a_permaslug() -> None:
    for slug in catalog.table()["aliases"].values():
        assert permaslug.checked(slug) == slug


@pytest.mark.parametrize("name", ["gpt-4o", "a/b/c", "", "?x/y", "a/" + "b" * 300])
def test_what_is_no_permaslug_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="expected author/slug"):
        permaslug.checked(name)


def test_a_price_is_the_lists() -> None:
    # 3 and 15 dollars a million tokens.
    assert catalog.price("anthropic/claude-sonnet-4.5", 1000, 100, None, AT) == 4_500_000


def test_cached_tokens_cost_less() -> None:
    full = catalog.price("anthropic/claude-sonnet-4.5", 1000, 100, None, AT)
    cached = catalog.price("anthropic/claude-sonnet-4.5", 1000, 100, 900, AT)
    assert full is not None
    assert cached is not None
    assert cached < full


def test_a_free_variant_costs_nothing() -> None:
    assert catalog.price("qwen/qwen3.6-27b:free", 1000, 100, None, AT) == 0


@pytest.mark.parametrize("slug", ["openlab/tail-model-05", "?demo-chat", "openai/gpt-4o:nonsense"])
def test_a_price_that_is_not_listed_is_unknown(slug: str) -> None:
    assert catalog.price(slug, 1000, 100, None, AT) is None


def test_more_cached_than_prompt_tokens_have_no_price() -> None:
    assert catalog.price("anthropic/claude-sonnet-4.5", 10, 1, 900, AT) is None


@pytest.mark.parametrize(
    ("dollars", "nano"), [(0.0012812, 1_281_200), (1e-9, 1), (0.0, 0), (999_999.123456789, 999_999_123_456_789)]
)
def test_money_is_whole_nano_dollars(dollars: float, nano: int) -> None:
    assert catalog.nano(dollars) == nano
