"""What the parts of the configuration have in common: their base, and the values that several of them take."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from optout_gate.trackers.purposes import DENIABLE, Purpose


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


PathPattern = Annotated[str, AfterValidator(_path_pattern)]
DeniablePurpose = Annotated[Purpose, AfterValidator(_deniable)]
