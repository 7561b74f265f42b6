"""``optout-gate schema``."""

import click

from optout_gate.cli.output import emit_json
from optout_gate.policy.config import Config

EXAMPLE = """
\b
Example:
  optout-gate schema > optout-gate.schema.json
"""


@click.command(epilog=EXAMPLE)
@click.option("--json", "as_json", is_flag=True, help="The same: a schema is JSON.")
def schema(as_json: bool) -> None:
    """Print the JSON Schema of the configuration file, for editors that check while one types."""
    emit_json({"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()})
