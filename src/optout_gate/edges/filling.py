"""Templates with ``<<name>>`` for a value: every other bracket means something to one edge or another."""

import re

NOTE = "Written by `optout-gate snippet {dialect}`: change the site's configuration and write it anew."
CLOSED = "Fails closed: while no gate answers, a visitor who opted out gets an error, never an unenforced page."
OPEN = (
    "FAILS OPEN: while no gate answers, a visitor who opted out gets the bare site, trackers and all, marked\n"
    "X-Optout-Gate: bypassed and kept out of caches. Count these: each is an opt-out that was not honoured."
)


def fill(template: str, **values: str) -> str:
    """Return ``template`` with its names replaced; a name on a line of its own keeps that line's indent.

    Raises:
        KeyError: a name has no value.
    """

    def line(found: re.Match[str]) -> str:
        value = values[found[2]]
        return "".join(f"{found[1]}{each}\n" if each else "\n" for each in value.splitlines())

    text = re.sub(r"^([ \t]*)<<(\w+)>>\n", line, template, flags=re.MULTILINE)
    return re.sub(r"<<(\w+)>>", lambda found: values[found[1]], text)


def heading(dialect: str, fail_open: bool) -> str:
    """Return the comment that every file begins with."""
    lines = [NOTE.format(dialect=dialect), *(OPEN if fail_open else CLOSED).splitlines()]
    return "".join(f"# {line}\n" for line in lines)
