"""`python -m llmcensus` is the command `llmcensus`."""

from llmcensus.cli import main

main()
