"""The commands. No logic of their own: each calls the room that knows, and prints what it says.

Exit codes, for all: 0 good, 1 the check failed, 2 usage or bad configuration, 141 whoever read the output is gone.

A command's module is imported when it is asked for. All of them are most of a second of CPU, which a container's
``healthcheck`` would spend every ten seconds.
"""

from importlib import import_module
from typing import Any

import click

from optout_gate import __version__

EXAMPLE = """
\b
Try it:            optout-gate demo
Before a website:  optout-gate serve --upstream http://127.0.0.1:8000
"""

COMMANDS = (
    "check",
    "choices",
    "demo",
    "explain",
    "healthcheck",
    "learn",
    "lists",
    "mitm",
    "probe",
    "schema",
    "serve",
    "snippet",
    "vendors",
)
"""Each stands under its own name in the module of that name."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = getattr(import_module(f"{__name__}.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        from optout_gate.cli.output import note_arguments

        note_arguments(ctx, args)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            from optout_gate.documents import did_you_mean

            near = did_you_mean(args[0], COMMANDS) or f"; expected one of {', '.join(COMMANDS)}"
            ctx.fail(f"there is no command {args[0]!r}{near}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        from optout_gate.cli.output import speaking

        with speaking():
            return super().invoke(ctx)


@click.group(
    cls=_Commands, epilog=EXAMPLE, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="optout-gate")
def main() -> None:
    """Make a website keep its word: opt-out signals are honoured before a response leaves."""
