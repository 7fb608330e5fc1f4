"""
OTLP over HTTP: bodies → spans and log records → generations, and what log records tell of them.

Other formats have a record for a generation; here one is found among spans, and may be told in pieces. So it is no
entry of `wire.FORMATS`, and what becomes of the pieces is decided in `spans`.

* `bodies`       Protobuf and JSON
* `rules`        which spans are generations, and what their attributes hold
* `generations`  a span → a generation
* `content`      log records → what was said in a call
* `messages`     the forms in which conversations are written
* `readers`      what rules are written with
* `values`       texts that are numbers, JSON or Python literals
"""

from llmcensus.wire.otlp.bodies import Encoding, LogRecord, Span, read_records, read_spans
from llmcensus.wire.otlp.content import Content, Told, joined, told
from llmcensus.wire.otlp.generations import generation
from llmcensus.wire.otlp.rules import RULES

__all__ = [
    "RULES",
    "Content",
    "Encoding",
    "LogRecord",
    "Span",
    "Told",
    "generation",
    "joined",
    "read_records",
    "read_spans",
    "told",
]
