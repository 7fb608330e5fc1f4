"""
Synthetic traffic: what a gateway might have seen in the last ninety days, as native JSON lines.

The texts were written for this project, in all tags and several languages (`requests.jsonl`). Models and apps have
shares that drift; the numbers mean nothing outside the demo. The same seed and day give the same traffic.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Any, NamedTuple

import msgspec

from llmcensus.demo.actors import APPS, MODELS, SIZES, App, Model

DAYS = 90
REQUESTS = 36_000
SEED = 20261123


class Prompt(msgspec.Struct):
    tag: str
    messages: list[Any]
    tools: list[Any] | None = None


class Session(NamedTuple):
    name: str
    app: App | None
    account: str


def prompts() -> list[Prompt]:
    lines = resources.files(__package__).joinpath("requests.jsonl").read_bytes().splitlines()
    decoder = msgspec.json.Decoder(Prompt)
    return [decoder.decode(line) for line in lines]


def traffic(now: datetime, requests: int = REQUESTS) -> Iterator[bytes]:
    """Yields about `requests` lines, oldest first, up to `now`; some are repeated, as gateways do."""
    generator = random.Random(SEED)
    texts = prompts()
    by_tag = {tag: [prompt for prompt in texts if prompt.tag == tag] for tag in {prompt.tag for prompt in texts}}
    start = (now - timedelta(days=DAYS)).astimezone(UTC)
    moments = sorted(start + timedelta(days=DAYS) * _growing(generator) for _ in range(requests))
    for number, moment in enumerate(moments):
        line = msgspec.json.encode(_generation(generator, by_tag, number, moment, (moment - start) / (now - start)))
        yield line
        if generator.random() < 0.006:
            yield line


def _growing(generator: random.Random) -> float:
    """Returns a point in 0 to 1; later ones are likelier, so that traffic grows by a half."""
    while True:
        at = generator.random()
        if generator.random() < (1 + 0.5 * at) / 1.5:
            return at


def _generation(
    generator: random.Random, by_tag: dict[str, list[Prompt]], number: int, moment: datetime, progress: float
) -> dict[str, Any]:
    session = _session(generator, number)
    model = generator.choices(MODELS, [model.share(progress) for model in MODELS])[0]
    tag = _tag(generator, session.app, by_tag)
    prompt = generator.choice(by_tag[tag])
    record: dict[str, Any] = {
        "source": "demo-gateway",
        "id": f"gen-{number:06d}",
        "created_at": moment,
        "model": model.sent,
        "provider": model.sent.split("/")[0],
        "account": session.account,
        "session_id": session.name,
        "streamed": generator.random() < 0.7,
        "finish_reason": "stop",
        "messages": prompt.messages,
        "tools": prompt.tools,
    }
    if session.app:
        record |= {
            "http_referer": session.app.referer,
            "app_title": session.app.title,
            "app_categories": session.app.categories,
        }
    return record | _usage(generator, model, tag)


def _session(generator: random.Random, number: int) -> Session:
    """Sessions last some requests: numbers near each other share a few dozen of them."""
    slot = number // 40 * 25 + generator.randrange(25)
    chosen = random.Random(slot)
    app = chosen.choices(APPS, [app.share for app in APPS])[0]
    return Session(f"session-{slot}", app if app.referer else None, f"account-{chosen.randrange(60)}")


def _tag(generator: random.Random, app: App | None, by_tag: dict[str, list[Prompt]]) -> str:
    if app and app.tags and generator.random() < 0.8:
        return generator.choice(app.tags)
    return generator.choice(sorted(by_tag))


def _usage(generator: random.Random, model: Model, tag: str) -> dict[str, Any]:
    """Some things go wrong on the way, as they do: usage that is missing, errors, private requests."""
    fate = generator.random()
    if fate < 0.004:
        return {"error": "upstream timed out", "finish_reason": None}
    known: dict[str, Any] = {"latency_ms": generator.randrange(300, 20_000)}
    if fate < 0.014:
        known["public"] = False
    if fate > 0.98:
        return known
    prompt, completion = SIZES.get(tag, SIZES[""])
    tokens_prompt = int(generator.lognormvariate(0, 0.8) * prompt) + 8
    tokens_completion = int(generator.lognormvariate(0, 0.7) * completion) + 1
    known |= {"tokens_prompt": tokens_prompt, "tokens_completion": tokens_completion}
    if generator.random() < 0.75:
        known["cost_usd"] = round((tokens_prompt + 4 * tokens_completion) * model.dollars / 1e6, 7)
    return known
