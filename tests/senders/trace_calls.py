"""
Traces calls with the Langfuse SDK of version 2, each in two posts, as it does: `trace_calls.py URL KEY`.

Runs in the environment of the senders.
"""

import sys
import time

from langfuse import Langfuse

SAID = [{"role": "user", "content": "Translate to French: good morning"}]


def main(url: str, key: str) -> None:
    client = Langfuse(public_key="pk-anything", secret_key=key, host=url)
    print(client.auth_check())
    trace = client.trace(name="greet", session_id="talk-1", user_id="u")
    first = trace.generation(name="one", model="gpt-4o-mini", input=SAID)
    second = trace.generation(name="two", model="gpt-4o-mini", input=SAID)
    trace.span(name="around").end()
    trace.score(name="good", value=1)
    client.flush()
    time.sleep(0.2)
    first.end(output="Bonjour", usage_details={"prompt_tokens": 100, "completion_tokens": 20})
    second.end(level="ERROR", status_message="no")
    client.flush()
    client.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
