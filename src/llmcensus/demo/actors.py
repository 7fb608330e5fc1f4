"""
Who is in the demo: models by their public names, apps that do not exist, sizes of requests.
"""

from __future__ import annotations

from typing import NamedTuple


class Model(NamedTuple):
    """`sent` is the name as a gateway sends it; the share of requests goes from `first` to `last` over the time."""

    sent: str
    first: float
    last: float
    dollars: float

    def share(self, progress: float) -> float:
        return self.first + (self.last - self.first) * progress


class App(NamedTuple):
    referer: str
    title: str
    categories: list[str]
    share: float
    tags: list[str]


LEADING = [
    Model("anthropic/claude-sonnet-4.6", 15, 11, 3.0),
    Model("openai/gpt-5.4", 10, 12, 2.0),
    Model("google/gemini-3.5-flash", 9, 12, 0.3),
    Model("deepseek/deepseek-v4-flash", 6, 11, 0.2),
    Model("anthropic/claude-opus-4.8", 8, 7, 5.0),
    Model("x-ai/grok-4.5", 6, 4, 1.5),
    Model("openai/gpt-5.4-mini", 5, 6, 0.4),
    Model("qwen/qwen3.6-27b", 4, 5, 0.2),
    Model("qwen/qwen3.6-27b:free", 3, 4, 0.0),
    Model("moonshotai/kimi-k2.6", 2, 5, 0.5),
    Model("z-ai/glm-5.1", 3, 3, 0.4),
    Model("minimax/minimax-m3", 2, 2, 0.3),
    Model("mistralai/mistral-large-2512", 3, 2, 1.0),
    Model("meta-llama/llama-4-maverick", 3, 1, 0.2),
    # As vendors write them: the catalog resolves these.
    Model("gpt-4o-2024-05-13", 2, 0.5, 5.0),
    Model("claude-haiku-4-5-20251001", 3, 3, 1.0),
    Model("us.anthropic.claude-sonnet-4-20250514-v1:0", 1.5, 0.7, 3.0),
    Model("azure/gpt-4o-mini", 1.5, 1, 0.2),
    Model("models/gemini-2.5-pro", 1.5, 0.8, 1.5),
    # The name of a deployment: it means nothing outside its gateway, and stays unknown.
    Model("house-chat", 0.6, 0.6, 0.5),
]
TAIL = [Model(f"openlab/small-{number:02d}", 0.2, 0.2, 0.1) for number in range(1, 41)]
MODELS = LEADING + TAIL

CODING = [
    "code:general_impl",
    "code:debugging",
    "code:file_read_write",
    "code:shell_execution",
    "code:repo_scan",
    "code:frontend_ui",
    "code:devops_config",
    "code:sql_database",
    "code:review_security",
]
CHAT = ["conversational_reply", "qa_knowledge", "content_writing", "math", "translation"]
AGENTS = ["agent:workflow_execution", "agent:tool_dispatch", "agent:web_search", "agent:multi_step_planning"]
WRITING = ["content_writing", "summarization", "translation"]

APPS = [
    App("https://www.tidepool.example/", "Tidepool", ["ide-extension"], 17, CODING),
    App("https://loomcode.example", "Loom Code", ["cli-agent"], 15, CODING),
    App("https://greenroom.example", "Greenroom", ["roleplay"], 11, ["roleplay_fiction", "conversational_reply"]),
    App("https://hearthchat.example", "Hearth", ["general-chat"], 9, CHAT),
    App("https://errandboy.example", "Errand", ["personal-agent"], 7, [*AGENTS, "agent:memory_extraction"]),
    App("https://marginalia.example/editor", "Marginalia", ["writing-assistant"], 6, WRITING),
    App("https://brief.example", "Brief & Docket", ["legal"], 4, ["summarization", "data:extraction", "qa_knowledge"]),
    App("https://pixwright.example", "Pixwright", ["image-gen"], 4, ["image_prompting"]),
    App("https://deskline.example", "Deskline", ["cloud-agent"], 5, ["customer_support", "classification_tagging"]),
    App("https://ledgerleaf.example", "Ledgerleaf", [], 3, ["finance_trading", "data:extraction", "math"]),
    App("https://nightwatch.example", "Nightwatch", ["cloud-agent"], 3, ["devops", "security_audit"]),
    App("https://quarry.example", "Quarry", [], 3, ["research_report", "agent:web_search", "data:transformation"]),
    App("http://localhost:3000/", "My First Bot", [], 1, CHAT),
    App("", "", [], 14, []),
]

# Typical tokens of prompt and completion by tag; the entry without a name is for all others.
SIZES = {
    "": (900, 350),
    "code:file_read_write": (14_000, 500),
    "code:repo_scan": (11_000, 400),
    "code:shell_execution": (6_000, 250),
    "code:debugging": (7_000, 700),
    "code:general_impl": (3_500, 900),
    "code:frontend_ui": (3_000, 1_800),
    "agent:workflow_execution": (5_000, 200),
    "agent:memory_extraction": (4_000, 300),
    "summarization": (4_500, 300),
    "research_report": (6_000, 2_000),
    "roleplay_fiction": (5_500, 400),
    "conversational_reply": (400, 150),
    "classification_tagging": (700, 20),
}
