"""
Settings: defaults, then `llmcensus.toml`, then the environment, then the command line; read once, frozen.

`SETTINGS` is the whole list. Each has the environment variable `LLMCENSUS_<NAME>` and the key `<name>` in the file.
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from fractions import Fraction
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from llmcensus.errors import ConfigError

FILE = "llmcensus.toml"
LARGEST = {
    "port": 65_535,
    "dedup_days": 36_500,
    "workers": 64,
    "join_seconds": 86_400,
    "join_mb": 1 << 20,
    "max_body_mb": 1 << 12,
    "queue_mb": 1 << 20,
    "judge_sample": 1,
    "judge_timeout": 600,
    "judge_batch_timeout": 3_600,
    "judge_concurrency": 256,
}
LARGEST_OTHER = 1_000_000_000

CITATION = "Source: {publisher} ({site}/rankings), as of {as_of}."
LOGS = ("console", "json")
LIMITS = ("memory", "store")
PAGES = ("public", "key", "off")
# What `classifier` is where a model is asked, and the path that is appended to its URL.
JUDGE = "judge"
COMPLETIONS = "/chat/completions"
LONGEST_MODEL = 256
# Names that no public server answers to. See: https://www.iana.org/assignments/special-use-domain-names
NEAR = (".internal", ".local", ".localhost")
# What resolvers take for an address, whole: 134744072, 0x08080808.
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
# Periods before a window have to be days, too.
EARLIEST_YEAR = 2000
# The least that OpenRouter can be set to send.
LEAST_SHARE = Fraction(1, 10_000)
# As browsers send it. See: https://fetch.spec.whatwg.org/#origin-header
ORIGIN = re.compile(r"https?://[a-z0-9.\-\[\]:]+")

Number = TypeVar("Number", int, float)


class Setting(NamedTuple):
    name: str
    default: str
    help: str


SETTINGS = (
    Setting("db", "sqlite:///llmcensus.db", "The store, as an SQLAlchemy URL."),
    Setting("host", "127.0.0.1", "Address to listen on."),
    Setting("port", "8080", "Port to listen on."),
    Setting("first_day", "2025-01-01", "First day of the datasets (UTC); older records are refused."),
    Setting("dedup_days", "35", "Days for which the id of a counted record is remembered after it was last sent."),
    Setting("requests_per_minute", "30", "Data API requests a minute and key."),
    Setting("requests_per_day", "500", "Data API requests a UTC day and account."),
    Setting("max_body_mb", "64", "Largest request body in MiB, after decompression."),
    Setting("queue_mb", "256", "MiB of bodies that a process holds until they are counted; others are to come back."),
    Setting("log", "console", "How the server logs: `console` for people, `json` for programs, to stderr."),
    Setting("workers", "1", "Processes that serve; more than one needs `redis`, or `limits = store`."),
    Setting("limits", "memory", "Where requests are counted for the limits: `memory` (of one process) or `store`."),
    Setting("redis", "", "A Redis URL, such as redis://localhost:6379/0: requests are counted there."),
    Setting("publisher", "LLM Census", "Who publishes this census, as it is to be cited."),
    Setting("site", "localhost", "The publisher's site, as it is to be cited: a host, without https://."),
    Setting("citation", CITATION, "How to cite the census; `{publisher}`, `{site}` and `{as_of}` are filled in."),
    Setting("pages", "key", "Who sees the pages: `public` (everyone), `key` (who logs in with a key) or `off`."),
    Setting("data_licence", "", "Under what licence the data may be used, such as CC-BY-4.0; shown on the pages."),
    Setting("min_sessions", "5", "Cells of session-cost with fewer sessions are not shown."),
    Setting("taxonomy", "", "A TOML file with tags of your own; empty for the shipped thirty."),
    Setting("join_seconds", "300", "How long log records and spans of OTLP wait for each other, in memory."),
    Setting("join_mb", "64", "The most memory for that, in MiB; what is oldest is forgotten first."),
    Setting("openrouter_sampling", "1", "The share that OpenRouter Broadcast was set to send: 1 of a whole number."),
    Setting(
        "cors_origins", "*", "Origins whose pages may read the Data API: `*`, or a list with commas; empty for none."
    ),
    Setting("classifier", "", "What finds tasks: weights of `llmcensus train`, `judge`, or, empty, those shipped."),
    Setting("judge_url", "", "An OpenAI-compatible endpoint, such as https://api.openai.com/v1, that judges."),
    Setting("judge_model", "", "The model that is asked there."),
    Setting("judge_key", "", "Its API key; empty where it needs none. Shown nowhere."),
    Setting("judge_sample", "0.05", "Share of requests that are judged, above 0 and at most 1."),
    Setting("judge_timeout", "10", "Seconds that one answer may take."),
    Setting("judge_batch_timeout", "30", "Seconds that judging may hold up a body or a batch of a file."),
    Setting("judge_concurrency", "8", "Answers that a process waits for at once."),
)


@dataclass(frozen=True, slots=True)
class Settings:
    db: str
    host: str
    port: int
    first_day: date
    dedup_days: int
    requests_per_minute: int
    requests_per_day: int
    max_body_mb: int
    queue_mb: int
    log: str
    workers: int
    limits: str
    redis: str
    publisher: str
    site: str
    citation: str
    pages: str
    data_licence: str
    min_sessions: int
    taxonomy: str
    join_seconds: int
    join_mb: int
    openrouter_sampling: str
    cors_origins: str
    classifier: str
    judge_url: str
    judge_model: str
    judge_key: str = field(repr=False)
    judge_sample: float
    judge_timeout: float
    judge_batch_timeout: float
    judge_concurrency: int

    def weights(self) -> dict[str, int]:
        """Returns of how many requests one of a source is a sample, for sources of which not all is sent."""
        weight = weight_of(self.openrouter_sampling)
        return {"openrouter": weight} if weight > 1 else {}

    def origins(self) -> tuple[str, ...]:
        """Returns the origins of `cors_origins`."""
        return tuple(origin.strip().rstrip("/") for origin in self.cors_origins.split(",") if origin.strip())

    def cite(self, as_of: str) -> str:
        """Returns the line by which data of this census is to be cited."""
        return self.citation.format(publisher=self.publisher, site=self.site, as_of=as_of)


def weight_of(share: str) -> int:
    """Returns how often each request counts of which only a share was sent."""
    try:
        sent = Fraction(share)
    except (ValueError, ZeroDivisionError):
        sent = Fraction(0)
    if not LEAST_SHARE <= sent <= 1 or (1 / sent).denominator != 1:
        raise ConfigError(
            f"openrouter_sampling is {share!r}: a request that was sent stands for 1 / share of them, which is to be a "
            "whole number, so that sums are exact; expected 1 down to 0.0001, such as 0.5, 0.1 or 1/3"
        )
    return int(1 / sent)


def load(
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] = os.environ,
    file: Path = Path(FILE),
) -> Settings:
    """Returns the settings; `overrides` whose value is None are as if not given."""
    written = _read(file)
    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    values: dict[str, Any] = {}
    kinds = {field.name: field.type for field in fields(Settings)}
    for setting in SETTINGS:
        variable = f"LLMCENSUS_{setting.name.upper()}"
        if setting.name in given:
            where, value = f"--{setting.name.replace('_', '-')}", given[setting.name]
        elif variable in environ:
            where, value = variable, environ[variable]
        elif setting.name in written:
            where, value = f"`{setting.name}` in {file}", written[setting.name]
        else:
            where, value = "default", setting.default
        values[setting.name] = _convert(setting.name, value, str(kinds[setting.name]), where)
    return _checked(Settings(**values))


def _checked(settings: Settings) -> Settings:
    if settings.limits not in LIMITS:
        raise ConfigError(f"limits is {settings.limits!r}: expected one of {', '.join(LIMITS)}")
    if settings.log not in LOGS:
        raise ConfigError(f"log is {settings.log!r}: expected one of {', '.join(LOGS)}")
    if settings.pages not in PAGES:
        raise ConfigError(f"pages is {settings.pages!r}: expected one of {', '.join(PAGES)}")
    if settings.redis and not settings.redis.startswith(("redis://", "rediss://", "unix://")):
        raise ConfigError("redis is no URL of Redis: expected one such as redis://localhost:6379/0")
    if settings.workers > 1 and settings.limits == "memory" and not settings.redis:
        raise ConfigError(
            f"workers is {settings.workers}, and each would count requests for itself, so that the limits would be "
            f"{settings.workers} times as high: expected `redis` or `limits = store` with it"
        )
    if settings.first_day.year < EARLIEST_YEAR:
        raise ConfigError(f"first_day is {settings.first_day}: expected a day of {EARLIEST_YEAR} or later")
    settings.weights()
    for origin in settings.origins():
        if origin != "*" and not ORIGIN.fullmatch(origin):
            raise ConfigError(f"cors_origins has {origin!r}: expected `*`, or origins such as https://example.com")
    try:
        settings.cite("")
    except (LookupError, ValueError, AttributeError, TypeError):
        raise ConfigError(
            f"citation is {settings.citation!r}: expected a text with {{publisher}}, {{site}} and {{as_of}}"
        ) from None
    _check_judge(settings)
    return settings


def _check_judge(settings: Settings) -> None:
    if settings.judge_url:
        _check_endpoint(settings.judge_url)
    if settings.classifier == JUDGE and not (settings.judge_url and settings.judge_model):
        raise ConfigError(f"classifier is {JUDGE!r}: expected `judge_url` and `judge_model` with it")
    if len(settings.judge_model) > LONGEST_MODEL or not settings.judge_model.isprintable():
        raise ConfigError(
            f"judge_model is {settings.judge_model[:80]!r}: expected at most {LONGEST_MODEL} printable characters"
        )
    if not (settings.judge_key.isascii() and settings.judge_key.isprintable()) or " " in settings.judge_key:
        raise ConfigError("judge_key is no key: expected printable ASCII without spaces")
    if settings.judge_timeout >= settings.judge_batch_timeout:
        # Else a batch would end before its first request has failed, and an endpoint that is gone not be noticed.
        raise ConfigError(
            f"judge_timeout is {settings.judge_timeout:g}: "
            f"expected less than judge_batch_timeout, which is {settings.judge_batch_timeout:g}"
        )


def _check_endpoint(url: str) -> None:
    """Checks a URL that may hold what must not be shown, so it is not."""
    plain = url.isascii() and url.isprintable() and not set(url) & set(" ?#@")
    try:
        parts = urlsplit(url)
        # Both raise for what no resolver would take.
        fine = parts.scheme in ("http", "https") and (parts.hostname or "").encode("idna") and parts.port != 0
    except ValueError:
        fine = False
    if not (fine and plain):
        raise ConfigError(
            "judge_url is no URL of an endpoint: expected one such as https://api.openai.com/v1, "
            "without a password, query or fragment"
        )
    if parts.scheme == "http" and not _near(parts.hostname or ""):
        raise ConfigError(
            "judge_url is http:// to a host that may be far, and key and text would go there in the clear: "
            f"expected https://, or a private address, a name without dots, or one that ends in {', '.join(NEAR)}"
        )
    if parts.path.rstrip("/").endswith(COMPLETIONS):
        raise ConfigError(f"judge_url ends with {COMPLETIONS}: expected what stands before it")


def _near(host: str) -> bool:
    """Says whether a host is this machine or in its own network, as far as its name can say that."""
    try:
        address = ip_address(host)
    except ValueError:
        name = host.removesuffix(".")
        # Without dots it is of the network's own making, unless it is an address in disguise.
        return name.endswith(NEAR) or ("." not in name and not NUMBER.fullmatch(name))
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback or address.is_private


def _read(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {}
    try:
        written = tomllib.loads(file.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"Cannot read {file}: {error}") from error
    unknown = sorted(set(written) - {setting.name for setting in SETTINGS})
    if unknown:
        known = ", ".join(setting.name for setting in SETTINGS)
        raise ConfigError(f"{file} has no setting {unknown[0]!r}: expected one of {known}")
    return written


def _convert(name: str, value: Any, kind: str, where: str) -> Any:
    largest = LARGEST.get(name, LARGEST_OTHER)
    try:
        if kind == "int":
            return _within(1, int(str(value)), largest)
        if kind == "float":
            # Not 0, and not what is no number.
            return _within(sys.float_info.min, float(str(value)), largest)
        if kind == "date":
            return date.fromisoformat(str(value))
    except ValueError:
        expected = {
            "int": f"a whole number from 1 to {largest:,}",
            "float": f"a number above 0, at most {largest:,}",
            "date": "a date such as 2025-01-01",
        }
        raise ConfigError(f"{where} is {str(value)!r}: expected {expected[kind]}") from None
    return str(value)


def _within(smallest: float, number: Number, largest: int) -> Number:
    if not smallest <= number <= largest:
        raise ValueError
    return number
