"""
What a request can be classified as: the tags of a taxonomy in their macro-categories, or `other`.

The shipped taxonomy has thirty tags in four macro-categories; a file may have others in their place.

See: docs/taxonomy.md
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmcensus.errors import InputError

# Stored and counted, left out of every share: what fits no tag, and what has no text or was not judged.
OTHER = "other"
UNCLASSIFIED = "unclassified"
GENERAL = "general"
MACRO_CATEGORIES = {"code": "Code", "data": "Data", "agent": "Agent", GENERAL: "General"}
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
# Each goes on from "asks the model to".
DEFINITIONS = {
    "code:general_impl": "write, extend, refactor or complete code, or tests; show how something is coded",
    "code:debugging": "find or fix a fault: an error message, a failing test, wrong behaviour",
    "code:file_read_write": "as an agent in the middle of its work, read, edit or create files",
    "code:review_security": "review given code or a diff: its quality, correctness or security",
    "code:shell_execution": "produce, run or interpret shell commands",
    "code:frontend_ui": "build or change a user interface: pages, components, layout, style",
    "code:repo_scan": "explore, search or explain a repository",
    "code:devops_config": "write or mend configuration and infrastructure code: containers, CI, clusters, builds",
    "code:sql_database": "write, explain or tune queries; design schemas and migrations",
    "agent:workflow_execution": "carry a job of several steps through tools: a browser, a device, a business system",
    "agent:multi_step_planning": "make or revise a plan of steps, or hand steps out to other agents",
    "agent:tool_dispatch": "choose a function and its arguments for one request, or where to route it",
    "agent:web_search": "search or browse the web, or answer from what was found there",
    "agent:memory_extraction": "find what to remember, update a memory, title or compact a conversation for later use",
    "data:extraction": "pull fields, entities, relations or tables out of text",
    "data:transformation": "convert, clean, merge or generate structured data; write formulas of spreadsheets",
    "conversational_reply": "chat: small talk, company, advice on life, opinions, jokes",
    "qa_knowledge": "answer or explain: facts, concepts, how-to, exams; also out of a given document",
    "content_writing": "write or rewrite prose for people: articles, e-mails, marketing, speeches, plans",
    "roleplay_fiction": "play a character, write or continue fiction or verse",
    "classification_tagging": "choose labels from a given set, score, judge, compare, route",
    "summarization": "shorten or digest a given text for a reader",
    "translation": "render a text in another language, or correct a translation",
    "customer_support": "answer a customer for a business",
    "research_report": "weigh sources into a long report",
    "math": "compute, solve, prove",
    "finance_trading": "analyse markets, companies, investments or taxes",
    "security_audit": "assess or attack systems: weaknesses, exploits, contests of such",
    "devops": "run systems, or find what ails them, with no file to write",
    "image_prompting": "write prompts for image or video models",
}

# The kernel has 32 outputs: one is `other`, one is kept free.
MOST_TAGS = 30
TAG = re.compile(r"([a-z0-9_]+:)?[a-z0-9_]+")
KEY = re.compile(r"[a-z0-9_]+")
RESERVED = (OTHER, UNCLASSIFIED)
LONGEST_TAG, LONGEST_NAME, LONGEST_DEFINITION = 64, 100, 400
# Between the version of a classifier and the digest of the tags that it judged by.
MARK = "+tags-"


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """
    Tags and macro-categories with their names for people, in the order in which they are shown.

    `definitions` has a line a tag that goes on from "asks the model to". `name` says in messages which taxonomy it is.
    """

    name: str
    macro_categories: Mapping[str, str]
    tags: Mapping[str, str]
    definitions: Mapping[str, str]

    @property
    def outcomes(self) -> tuple[str, ...]:
        return (*self.tags, OTHER)

    @property
    def mark(self) -> str:
        """Names the set of tags, whatever they are called and in whatever order; nothing for that of the shipped."""
        if set(self.tags) == set(TAGS):
            return ""
        return MARK + hashlib.blake2b(" ".join(sorted(self.tags)).encode(), digest_size=4).hexdigest()

    def stamp(self, classifier: str) -> str:
        """Returns what is stamped on cells: the version of the classifier, and by which tags it judged."""
        return classifier + self.mark

    def stamped(self, stamp: str) -> bool:
        """Says whether it was by these tags that a cell was judged."""
        return stamp.endswith(self.mark) if self.mark else MARK not in stamp

    def require(self, tag: str | None) -> None:
        """Raises an InputError for a tag that is no outcome; None is none, and may be."""
        if tag is not None and tag not in self.outcomes:
            raise InputError(f"tag {tag[:80]!r} is not in {self.name}: expected one of {', '.join(self.outcomes)}")


def macro_category(tag: str) -> str:
    """Returns the tag's prefix; a tag without one belongs to `general`."""
    prefix, colon, _ = tag.partition(":")
    return prefix if colon else GENERAL


SHIPPED = Taxonomy("the shipped taxonomy", MACRO_CATEGORIES, TAGS, DEFINITIONS)


def in_force(file: str) -> Taxonomy:
    """Returns the taxonomy of a file, or the shipped one where `file` is empty."""
    return read(Path(file)) if file else SHIPPED


def read(path: Path) -> Taxonomy:
    """
    Returns the taxonomy that a TOML file has: `[macro_categories]` and `[tags]`.

    The name of a macro-category is a text; of a tag it is one too, or a table of `name` and `definition`. A tag without
    a definition is defined by its name.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"Cannot read the taxonomy {path}: {error}") from error
    _only(path, "the file", found, ("macro_categories", "tags"))
    macros = {
        _matched(path, "macro-category", key, KEY): _line(path, f"macro-category {key!r}", name, LONGEST_NAME)
        for key, name in _table(path, found, "macro_categories").items()
    }
    tags, definitions = {}, {}
    for tag, said in _table(path, found, "tags").items():
        tags[_checked(path, tag, macros)], definitions[tag] = _named(path, tag, said)
    if not 1 <= len(tags) <= MOST_TAGS:
        raise InputError(f"{path} has {len(tags)} tags: expected 1 to {MOST_TAGS}, beside {OTHER!r}")
    if GENERAL not in macros and GENERAL in map(macro_category, tags):
        macros[GENERAL] = MACRO_CATEGORIES[GENERAL]
    return Taxonomy(str(path), macros, tags, definitions)


def _table(path: Path, found: Mapping[str, Any], name: str) -> dict[str, Any]:
    table = found.get(name, {})
    if not isinstance(table, dict):
        raise InputError(f"{path}: {name} is {_shown(table)}: expected a table [{name}]")
    return table


def _checked(path: Path, tag: str, macros: Mapping[str, str]) -> str:
    """Returns the tag, if it may be one and has its macro-category."""
    if tag in RESERVED:
        raise InputError(f"{path}: tag {tag!r} cannot be redefined: expected tags other than {' and '.join(RESERVED)}")
    _matched(path, "tag", tag, TAG)
    if (category := macro_category(tag)) not in (*macros, GENERAL):
        known = ", ".join((*macros, *(() if GENERAL in macros else (GENERAL,))))
        raise InputError(
            f"{path}: tag {tag!r} is of macro-category {category!r}, which [macro_categories] does not name: "
            f"expected one of {known}"
        )
    return tag


def _matched(path: Path, what: str, key: str, pattern: re.Pattern[str]) -> str:
    if len(key) > LONGEST_TAG or not pattern.fullmatch(key):
        colon = ", and at most one colon between two such" if pattern is TAG else ""
        raise InputError(
            f"{path}: {what} {_shown(key)}: expected up to {LONGEST_TAG} lower-case letters a-z, digits and _{colon}"
        )
    return key


def _named(path: Path, tag: str, said: Any) -> tuple[str, str]:
    """Returns the name and the definition of a tag."""
    if not isinstance(said, dict):
        name = _line(path, f"tag {tag!r}", said, LONGEST_NAME, " or a table of `name` and `definition`")
        return name, name
    _only(path, f"tag {tag!r}", said, ("name", "definition"))
    name = _line(path, f"`name` of tag {tag!r}", said.get("name"), LONGEST_NAME)
    definition = said.get("definition", name)
    return name, _line(path, f"`definition` of tag {tag!r}", definition, LONGEST_DEFINITION)


def _line(path: Path, what: str, text: Any, longest: int, otherwise: str = "") -> str:
    if not isinstance(text, str) or not text.strip() or len(text) > longest or not text.isprintable():
        shown = "missing" if text is None else _shown(text)
        raise InputError(
            f"{path}: {what} is {shown}: expected one line of 1 to {longest} printable characters{otherwise}"
        )
    return text.strip()


def _only(path: Path, where: str, found: Mapping[str, Any], known: Iterable[str]) -> None:
    if unknown := sorted(set(found) - set(known)):
        raise InputError(f"{path}: {where} has {_shown(unknown[0])}: expected only {', '.join(known)}")


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else f"{shown[:80]}…"
