"""
The command line: a command per verb, at the edge of everything.

Options that are settings are named as in `llmcensus.config`; the environment and `llmcensus.toml` give their defaults.
"""

from __future__ import annotations

import sys
from importlib import import_module

import click

from llmcensus import __version__
from llmcensus.errors import CensusError

# Command → its module here and one line of help. A module is imported when its command is run: what a command does not
# use (a server, a compiler) does not slow it down.
COMMANDS = {
    "demo": ("demo", "Build a census of synthetic traffic, and serve it."),
    "serve": ("serve", "Serve pages and the Data API, and take traffic."),
    "publish": ("publish", "Write pages and data into a folder, for any web host."),
    "import": ("imports", "Count traffic from files."),
    "classify": ("classify", "Classify requests without counting them."),
    "status": ("status", "Show counts, coverage and reasons of refusal."),
    "keys": ("keys", "Create, list and revoke API keys."),
    "apps": ("apps", "List, merge, hide and rename apps."),
    "models": ("models", "List models, and say what unknown names mean."),
    "benchmarks": ("benchmarks", "Import and list benchmarks of models."),
    "train": ("train", "Train the classifier on labelled requests."),
    "evaluate": ("evaluate", "Measure the classifier on sources it did not learn from."),
}


class Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"{__name__}.{COMMANDS[cmd_name][0]}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="llmcensus")
def group() -> None:
    """Counts what large language models are used for."""


def main() -> None:
    """Runs the command; what goes wrong on purpose is one line and exit status 1."""
    try:
        group()
    except CensusError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
