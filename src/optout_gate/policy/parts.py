"""What the parts of the configuration have in common: their base, and the values that several of them take."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from optout_gate.trackers.purposes import DENIABLE, Purpose

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")  # RFC 9110 §5.6.2: names of header fields, and of cookies


class Part(BaseModel):
    """A mapping of the configuration file. Unknown keys are refused; values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _path_pattern(value: str) -> str:
    if not value.startswith("/"):
        raise ValueError(f"a path pattern starts with '/', as in '/member/*', found {value!r}")
    return value


def _deniable(value: Purpose) -> Purpose:
    if value not in DENIABLE:
        raise ValueError(f"{value.value!r} cannot be denied: it keeps working for everyone")
    return value


def _cookie_name(value: str) -> str:
    if not TOKEN.match(value):
        raise ValueError(f"{value!r} is not a cookie name (RFC 6265 §4.1.1)")
    return value


CookieName = Annotated[str, AfterValidator(_cookie_name)]
PathPattern = Annotated[str, AfterValidator(_path_pattern)]
DeniablePurpose = Annotated[Purpose, AfterValidator(_deniable)]
