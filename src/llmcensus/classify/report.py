"""
What an evaluation found, as text for a terminal and as the figures of a model card, with a plot of the calibration.

The card keeps what people wrote in it: only what stands between its two marks is replaced.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from llmcensus.classify.evaluate import Judged, calibration, calibration_error
from llmcensus.classify.features import RESULT_ROLES
from llmcensus.classify.model import Model
from llmcensus.classify.rows import Row, as_generations
from llmcensus.errors import InputError

BEGIN, END = "<!-- figures of `llmcensus evaluate` -->", "<!-- end of figures -->"
ROUNDS = 3
MANY_ROWS = 10
CONFUSIONS = 12


# Starts, gets ready to classify, and tells its largest size in KiB, where the system does.
READY = """
from pathlib import Path
from llmcensus.classify import shipped
shipped()
told = Path("/proc/self/status")
lines = told.read_text().splitlines() if told.exists() else ()
print(*(line.split()[1] for line in lines if line.startswith("VmHWM:")))
"""


class Speed(NamedTuple):
    """
    Requests a second in batches on one core, and the milliseconds of a single one; the seconds until a new process is
    ready to classify, and the MiB that it took till then, None where the system does not tell.
    """

    requests: float
    alone_ms: float
    start_s: float
    memory_mib: float | None


class Figures(NamedTuple):
    """`unseen` is None where the rows are of too few sources to hold one out."""

    unseen: Judged | None
    # The same rows with slips of the keyboard.
    mistyped: Judged | None
    seen: Judged
    speed: Speed

    def measured(self) -> list[tuple[str, Judged]]:
        """Returns what could be measured, the severest first."""
        return [(name, judged) for name, judged in (("never seen", self.unseen), ("seen", self.seen)) if judged]


def measure_speed(model: Model, rows: list[Row]) -> Speed:
    """Returns the best of some rounds, from messages in memory to tags."""
    generations = as_generations(rows)
    model.classify(generations[:64])
    batches = [_seconds(lambda: [model.classify(generations[at : at + 512]) for at in range(0, len(generations), 512)])
               for _ in range(ROUNDS)]  # fmt: skip
    single = [_seconds(lambda: model.classify(generations[at : at + 1])) for at in range(min(500, len(generations)))]  # noqa: B023
    return Speed(len(generations) / min(batches), float(np.median(single)) * 1000, *_measure_start())


def _measure_start() -> tuple[float, float | None]:
    """Returns the best of some rounds: seconds, and MiB where they are known."""
    rounds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        run = subprocess.run([sys.executable, "-c", READY], capture_output=True, text=True, check=True)  # noqa: S603
        rounds.append((time.perf_counter() - started, run.stdout.strip()))
    seconds, kib = min(rounds)
    return seconds, int(kib) / 1024 if kib else None


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


SLICES: dict[str, Callable[[Row], bool]] = {
    "English": lambda row: row.lang == "en",
    "other languages": lambda row: row.lang != "en",
    "up to 200 characters": lambda row: _length(row) <= 200,
    "200 to 2,000 characters": lambda row: 200 < _length(row) <= 2000,
    "over 2,000 characters": lambda row: _length(row) > 2000,
    "one turn, no system prompt": lambda row: len(row.messages) == 1,
    "system prompt and one turn": lambda row: [m.role for m in row.messages] == ["system", "user"],
    "dialogue": lambda row: sum(m.role == "user" for m in row.messages) > 1,
    "tools on offer": lambda row: bool(row.tools),
    "last turn is a tool's": lambda row: bool(row.messages) and row.messages[-1].role in RESULT_ROLES,
}


def _length(row: Row) -> int:
    return sum(len(message.text()) for message in row.messages)


def report(figures: Figures) -> str:
    return (
        "\n".join(
            f"sources {name:<11} {len(judged.rows):,} rows   kappa {judged.kappa():.3f}   "
            f"accuracy {judged.accuracy():.3f}   majority guess {judged.majority():.3f}   "
            f"calibration error {_error(judged):.3f}"
            for name, judged in figures.measured()
        )
        + f"\n{figures.speed.requests:,.0f} requests a second a core   {figures.speed.alone_ms:.2f} ms for a single one"
        f"   ready in {figures.speed.start_s:.2f} s with {_mib(figures.speed)}"
    )


def _error(judged: Judged) -> float:
    return calibration_error(judged.confidence(), judged.right())


def _mib(speed: Speed) -> str:
    return "memory unknown" if speed.memory_mib is None else f"{speed.memory_mib:.0f} MiB"


def write_card(path: Path, figures: Figures) -> None:
    """Replaces the figures in the card, and writes the plot beside it."""
    text = path.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise InputError(f"{path} has no place for figures: expected lines {BEGIN!r} and {END!r}")
    plot = path.with_suffix(".svg")
    path.write_text(f"{before}{BEGIN}\n\n{markdown(figures, plot.name)}\n{END}{after}")
    plot.write_text(picture(figures.measured()[0][1]))


def markdown(figures: Figures, plot: str) -> str:
    name, severest = figures.measured()[0]
    return "\n".join(
        [
            "| | rows | κ | accuracy | majority guess | calibration error |",
            "| --- | --- | --- | --- | --- | --- |",
            *(
                f"| sources {name} | {len(judged.rows):,} | **{judged.kappa():.2f}** | {judged.accuracy():.2f} | "
                f"{judged.majority():.2f} | {_error(judged):.3f} |"
                for name, judged in figures.measured()
            ),
            "",
            f"Speed on the machine of this run: {figures.speed.requests:,.0f} requests a second in batches, "
            f"{figures.speed.alone_ms:.2f} ms for a single one; a new process is ready after "
            f"{figures.speed.start_s:.2f} s, with {_mib(figures.speed)}.",
            "",
            f"![How often it is right, by how sure it is]({plot})",
            "",
            *_slices(severest, name, figures.mistyped),
            *_tags(severest, name),
            *_confusions(severest),
        ]
    )


def _slices(judged: Judged, sources: str, mistyped: Judged | None) -> Iterator[str]:
    yield from (f"Slices of the sources {sources}:", "", "| slice | rows | κ | accuracy |", "| --- | --- | --- | --- |")
    slices = [(name, judged.where(wanted)) for name, wanted in SLICES.items()]
    if mistyped is not None:
        slices.append(("every row, a seventh of the longer words of its last wish mistyped", mistyped))
    for name, part in slices:
        if len(part.rows) >= MANY_ROWS:
            yield f"| {name} | {len(part.rows):,} | {part.kappa():.2f} | {part.accuracy():.2f} |"
    yield ""


def _tags(judged: Judged, name: str) -> Iterator[str]:
    true, found = Counter(judged.true), Counter(judged.found)
    right = Counter(a for a, b in zip(judged.true, judged.found, strict=True) if a == b)
    yield from (f"Tags, on sources {name}:", "", "| tag | rows | precision | recall |", "| --- | --- | --- | --- |")
    for tag in judged.outcomes:
        if true[tag]:
            precision = f"{right[tag] / found[tag]:.2f}" if found[tag] else "–"
            yield f"| `{tag}` | {true[tag]} | {precision} | {right[tag] / true[tag]:.2f} |"
    yield ""


def _confusions(judged: Judged) -> Iterator[str]:
    wrong = Counter((a, b) for a, b in zip(judged.true, judged.found, strict=True) if a != b)
    yield from ("The most frequent confusions:", "", "| asked for | found | rows |", "| --- | --- | --- |")
    for (true, found), count in wrong.most_common(CONFUSIONS):
        yield f"| `{true}` | `{found}` | {count} |"


def picture(judged: Judged) -> str:
    """Returns an SVG: a bar a tenth of confidence, as high as the share of rows that were right."""
    side, edge = 300, 40
    bars = []
    for count, sure, share in calibration(judged.confidence(), judged.right()):
        left = edge + int(min(sure * 10, 9)) * side / 10
        bars.append(
            f'<rect x="{left + 3:.0f}" y="{edge + side * (1 - share):.1f}" width="{side / 10 - 6:.0f}" '
            f'height="{side * share:.1f}" fill="#4a6fa5">'
            f"<title>{count} rows, {sure:.2f} sure, {share:.2f} right</title></rect>"
        )
    whole = side + 2 * edge
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {whole} {whole}" font-family="sans-serif">',
            f'<rect width="{whole}" height="{whole}" fill="#fff"/>',
            *bars,
            f'<path d="M{edge} {edge + side}L{edge + side} {edge}" stroke="#999" stroke-dasharray="4"/>',
            f'<path d="M{edge} {edge}V{edge + side}H{edge + side}" stroke="#333" fill="none"/>',
            f'<text x="{whole / 2:.0f}" y="{whole - 10}" text-anchor="middle">how sure it is: 0 to 1</text>',
            f'<text transform="translate(16 {whole / 2:.0f}) rotate(-90)" text-anchor="middle">share right</text>',
            "</svg>",
            "",
        ]
    )
