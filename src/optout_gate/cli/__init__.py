"""The commands. No logic of their own: each calls the room that knows, and prints what it says.

Exit codes, for all: 0 good, 1 the check failed, 2 usage or bad configuration.
"""

import click

from optout_gate import __version__
from optout_gate.cli import (
    check,
    choices,
    demo,
    explain,
    healthcheck,
    learn,
    lists,
    mitm,
    probe,
    schema,
    serve,
    snippet,
    vendors,
)

EXAMPLE = """
\b
Try it:            optout-gate demo
Before a website:  optout-gate serve --upstream http://127.0.0.1:8000
"""


@click.group(epilog=EXAMPLE, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="optout-gate")
def main() -> None:
    """Make a website keep its word: opt-out signals are honoured before a response leaves."""


COMMANDS = (
    serve.serve,
    demo.demo,
    mitm.mitm,
    check.check,
    choices.choices,
    explain.explain,
    vendors.vendors,
    lists.lists,
    learn.learn,
    snippet.snippet,
    probe.probe,
    schema.schema,
    healthcheck.healthcheck,
)

for command in COMMANDS:
    main.add_command(command)
