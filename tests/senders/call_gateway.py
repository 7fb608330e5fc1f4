"""
Calls a gateway with OpenAI's own client, as an app would that names itself: `call_gateway.py URL KEY`.

Runs in the environment of the senders.
"""

import sys

from openai import APIStatusError, OpenAI

SAID = [{"role": "user", "content": "Translate to French: good morning"}]
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
APP = {"HTTP-Referer": "https://tidepool.example/x", "X-Title": "Tidepool", "X-OpenRouter-Categories": "general-chat"}


def main(url: str, key: str) -> None:
    with OpenAI(base_url=url, api_key=key, max_retries=0, default_headers=APP) as client:
        client.chat.completions.create(model="fast", messages=SAID)
        client.chat.completions.create(model="fast", messages=SAID)  # from the gateway's cache
        more = [*SAID, {"role": "user", "content": "and once more"}]
        for _ in client.chat.completions.create(model="fast", messages=more, stream=True):
            pass
        client.chat.completions.create(model="fast", messages=[{"role": "user", "content": "look"}], tools=[TOOL])
        client.embeddings.create(model="vectors", input=["good morning"])
        for model in ("broken", "nobody"):
            try:
                client.chat.completions.create(model=model, messages=SAID)
            except APIStatusError as error:
                print(error.status_code)


if __name__ == "__main__":
    main(*sys.argv[1:])
