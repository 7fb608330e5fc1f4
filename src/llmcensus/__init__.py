"""LLM Census counts what large language models are used for."""

__version__ = "0.1.0"
