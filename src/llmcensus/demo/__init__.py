"""
Synthetic traffic: what a gateway might have seen in the last ninety days, as native JSON lines.

The texts were written for this project, in all tags and several languages (`requests.jsonl`). Models and apps have
shares that drift; the numbers mean nothing outside the demo. The same seed and day give the same traffic.
"""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import resources
from itertools import accumulate
from typing import Any, NamedTuple

import msgspec

from llmcensus.demo.actors import APPS, MODELS, SIZES, TAIL, App, Model

DAYS = 90
REQUESTS = 36_000
SEED = 20261123
INDICES = ("intelligence", "coding", "agentic")


class Prompt(msgspec.Struct):
    tag: str
    messages: list[Any]
    tools: list[Any] | None = None


class Session(NamedTuple):
    """A session keeps to a model, but for now and then."""

    name: str
    app: App | None
    account: str
    taste: float


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
    taste = session.taste if generator.random() < 0.85 else generator.random()
    model = _model(taste, progress)
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
    account = f"account-{chosen.randrange(60)}"
    return Session(f"session-{slot}", app if app.referer else None, account, chosen.random())


def _model(taste: float, progress: float) -> Model:
    """Returns the model at a point of 0 to 1 of all shares, as they are by then."""
    shares = list(accumulate(model.share(progress) for model in MODELS))
    return MODELS[bisect(shares, taste * shares[-1])]


def scores() -> list[dict[str, Any]]:
    """
    Returns rows of benchmarks, in the neutral form.

    Of models that do not exist: made-up scores of real ones might be believed.
    """
    generator = random.Random(SEED)
    rows: list[dict[str, Any]] = []
    for number, model in enumerate(TAIL[:24], 1):
        skill = generator.uniform(0.2, 0.9)
        about = {"model_permaslug": model.sent, "display_name": f"Openlab Small {number}"}
        # The better ones cost more, more or less.
        price = f"{model.dollars * 40**skill * generator.uniform(0.5, 2) / 1e6:.8f}"
        priced = about | {"pricing": {"prompt": price, "completion": price}}
        indices = {f"{name}_index": round(100 * skill * generator.uniform(0.8, 1), 1) for name in INDICES}
        rows.append({"source": "artificial-analysis"} | priced | indices)
        rows.extend(
            {"source": "design-arena", "arena": "models", "category": category, "elo": round(900 + 500 * skill)}
            | {"win_rate": round(100 * skill, 1)}
            | priced
            for category in ("codecategories", "dataviz")
        )
        run = {"total_tasks": 198, "last_run_timestamp": "2026-11-01T00:00:00Z"}
        rows.append(
            {"source": "openrouter", "benchmark_type": "gpqa_diamond", "accuracy": round(skill, 3)} | about | run
        )
    return rows


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
