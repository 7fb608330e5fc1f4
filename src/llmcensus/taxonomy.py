"""
What a request can be classified as: thirty tags in four macro-categories, or `other`.

See: docs/taxonomy.md
"""

from __future__ import annotations

# Stored and counted, left out of every share: what fits no tag, and what has no text or was not judged.
OTHER = "other"
UNCLASSIFIED = "unclassified"
MACRO_CATEGORIES = {"code": "Code", "data": "Data", "agent": "Agent", "general": "General"}
TAGS = {
    "code:general_impl": "Code Generation",
    "code:debugging": "Debugging",
    "code:file_read_write": "File I/O",
    "code:review_security": "Code Review",
    "code:shell_execution": "Shell Execution",
    "code:frontend_ui": "Frontend & UI",
    "code:repo_scan": "Repo Scanning",
    "code:devops_config": "DevOps & Config",
    "code:sql_database": "SQL & Database",
    "agent:workflow_execution": "Workflow Execution",
    "agent:multi_step_planning": "Multi-step Planning",
    "agent:tool_dispatch": "Tool Dispatch",
    "agent:web_search": "Web Search",
    "agent:memory_extraction": "Memory Extraction",
    "data:extraction": "Data Extraction",
    "data:transformation": "Data Transformation",
    "conversational_reply": "Conversation",
    "qa_knowledge": "Q&A & Knowledge",
    "content_writing": "Content Writing",
    "roleplay_fiction": "Roleplay & Fiction",
    "classification_tagging": "Classification",
    "summarization": "Summarization",
    "translation": "Translation",
    "customer_support": "Customer Support",
    "research_report": "Research & Reports",
    "math": "Math",
    "finance_trading": "Finance & Trading",
    "security_audit": "Security Audit",
    "devops": "DevOps",
    "image_prompting": "Image Prompting",
}
OUTCOMES = (*TAGS, OTHER)


def macro_category(tag: str) -> str:
    """Returns the tag's prefix; a tag without one belongs to `general`."""
    prefix, colon, _ = tag.partition(":")
    return prefix if colon else "general"
