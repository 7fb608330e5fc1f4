"""
The record of one generation: who called which model, when, at what cost, with what text.

The native JSONL line is this record with these names. Everything but `source`, `id`, `created_at` and `model` may be
unknown; unknown is `None` and stays `None`. Sizes are bounded so that sums of any realistic number of records stay
within 64 bits: a day's cell has room for four billion requests of 2**31 - 1 tokens, and for 900,000 of 10,000 USD.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

LONGEST_NAME = 256
MOST_TOKENS = 2**31 - 1
MOST_DOLLARS = 10_000

Name = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]
# A name that a source may leave empty.
MaybeName = Annotated[str, Meta(max_length=LONGEST_NAME)]
Tokens = Annotated[int, Meta(ge=0, le=MOST_TOKENS)]
Dollars = Annotated[float, Meta(ge=0, le=MOST_DOLLARS)]
Milliseconds = Annotated[float, Meta(ge=0)]
Instant = Annotated[datetime, Meta(tz=True)]
# An embedding has tokens and no task.
Operation = Literal["chat", "embeddings"]

# What a model is called that a source does not name.
UNNAMED = "unknown"


class Function(msgspec.Struct, gc=False, omit_defaults=True):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class ToolCall(msgspec.Struct, gc=False, omit_defaults=True):
    """A call the model made: OpenAI's form (`function.name`) or the short one (`name`, `arguments`)."""

    name: str | None = None
    arguments: str | dict[str, Any] | None = None
    function: Function | None = None

    def called(self) -> str:
        return self.name or (self.function.name if self.function else None) or ""

    def given(self) -> str:
        """Returns the arguments as text."""
        arguments = self.arguments if self.arguments is not None else self.function and self.function.arguments
        if arguments is None or isinstance(arguments, str):
            return arguments or ""
        try:
            return str(arguments)
        except (RecursionError, ValueError):
            return ""  # nested or numbered beyond what Python writes


class Tool(msgspec.Struct, gc=False, omit_defaults=True):
    """A tool on offer: OpenAI's form or a bare name."""

    name: str | None = None
    function: Function | None = None

    def offered(self) -> str:
        return self.name or (self.function.name if self.function else None) or ""


class Part(msgspec.Struct, gc=False, omit_defaults=True):
    """One part of a message whose content is a list. Only text is read; other kinds are known by `type`."""

    type: str = "text"
    text: str | None = None


class Message(msgspec.Struct, gc=False, omit_defaults=True):
    role: str = "user"
    content: str | list[Part | str] | None = None
    tool_calls: list[ToolCall] | None = None

    def text(self) -> str:
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part if isinstance(part, str) else part.text or "" for part in self.content or ())


class Generation(msgspec.Struct, kw_only=True, omit_defaults=True):
    """
    One call that a client made to a model through a gateway.

    `model` is the name as requested, `model_served` the one that answered. Token counts are the provider's own;
    `tokens_prompt` includes `tokens_cached`, `tokens_completion` includes `tokens_reasoning`. `cost_usd` is what the
    gateway charged. `output_modalities` is what the reply held: `text`, `image`. `public` false keeps the request out
    of every dataset. `task_type` is what the caller declares. `operation` None is a chat.
    """

    source: Name
    id: Name
    created_at: Instant
    model: Name
    model_served: Name | None = None
    provider: str | None = None
    tokens_prompt: Tokens | None = None
    tokens_completion: Tokens | None = None
    tokens_reasoning: Tokens | None = None
    tokens_cached: Tokens | None = None
    cost_usd: Dollars | None = None
    latency_ms: Milliseconds | None = None
    finish_reason: str | None = None
    streamed: bool | None = None
    output_modalities: list[str] | None = None
    http_referer: str | None = None
    app_title: str | None = None
    app_categories: list[str] | str | None = None
    user_agent: str | None = None
    account: str | None = None
    session_id: str | None = None
    public: bool | None = None
    cache_hit: bool | None = None
    error: str | dict[str, Any] | None = None
    task_type: str | None = None
    operation: Operation | None = None
    messages: list[Message] | None = None
    tools: list[Tool | str] | None = None

    def named(self) -> bytes:
        """Returns what names it: source and id, framed so that no two pairs of them read alike."""
        return f"{len(self.source)}:{self.source}{self.id}".encode()

    def excluded(self) -> Literal["private", "error"] | None:
        """Says why it is in no dataset: it is private, or an error without a reply."""
        if self.public is False:
            return "private"
        return "error" if self.error and not (self.tokens_completion or self.finish_reason) else None


class Report(Generation, kw_only=True, omit_defaults=True):
    """
    A generation by a source that may tell of one request more than once: in parts, again with more, or by two routes.

    Reports with one id and one `occasion` are of the same request, whatever else they say; `occasion` is empty where
    the source's ids name a request for good. `begins` says that what was sent is told, `ends` that what came back is:
    a request is counted when both are.
    """

    occasion: str = ""
    begins: bool = True
    ends: bool = True
