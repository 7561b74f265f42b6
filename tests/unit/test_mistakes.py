"""The gate's own mistakes in its log: where, and how often; never with the words that an exception was given."""

import asyncio
import json
import logging
from collections.abc import Iterator

import pytest

from optout_gate.telemetry import logs
from optout_gate.telemetry.mistakes import without_words

SECRET = "mary@example.com"


@pytest.fixture(params=logs.FORMS)
def form(request: pytest.FixtureRequest) -> Iterator[logs.Form]:
    """Return a form that the log has for the time of the test."""
    names = ("optout_gate", "uvicorn", "uvicorn.error", "asyncio")
    before = {name: (each := logging.getLogger(name), each.handlers[:], each.level, each.propagate) for name in names}
    yield request.param
    for logger, handlers, level, propagate in before.values():
        logger.handlers[:], logger.level, logger.propagate = handlers, level, propagate


def mistaken(inner: Exception) -> None:
    try:
        raise inner
    except Exception as error:
        raise RuntimeError(f"not readable: {SECRET}") from error


@pytest.mark.parametrize("inner", [ValueError(SECRET), ExceptionGroup(SECRET, [KeyError(SECRET), OSError(SECRET)])])
def test_a_traceback_has_types_and_places_and_no_words(
    form: logs.Form, inner: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure_logging(form)
    try:
        mistaken(inner)
    except RuntimeError:
        logging.getLogger("optout_gate").exception("an exchange broke off")
    told = capsys.readouterr().err
    assert SECRET not in told
    assert "an exchange broke off" in told and "RuntimeError" in told and type(inner).__name__ in told
    assert "test_mistakes.py" in told and "in mistaken" in told
    if isinstance(inner, ExceptionGroup):
        assert "KeyError" in told and "2 of 2 in it" in told
    if form == "json":
        assert set(json.loads(told)) == {"event", "level", "logger", "ts", "exception"}


def test_the_operating_systems_words_stay() -> None:
    assert without_words(OSError(28, "No space left on device", f"/home/{SECRET}")).endswith(
        ": No space left on device"
    )


def test_a_storm_of_mistakes_is_told_once_a_place_and_counted_whole(
    form: logs.Form, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure_logging(form)
    counted: list[None] = []
    logs.count_mistakes(lambda: counted.append(None))
    log = logging.getLogger("uvicorn.error")
    for text in ("1", f"x{SECRET}", f"y{SECRET}") * 100:
        try:
            int(text)
        except ValueError:
            log.exception("Exception in ASGI application\n")
        log.warning("no mistake")
    told = capsys.readouterr().err
    assert told.count("Exception in ASGI application") == 1 and told.count("no mistake") == 300
    assert len(counted) == 200 and SECRET not in told


def test_the_event_loop_tells_mistakes_in_the_same_form_and_without_what_a_callback_was_given(
    form: logs.Form, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure_logging(form)

    async def main() -> None:
        asyncio.get_running_loop().call_soon(int, SECRET)
        await asyncio.sleep(0)

    asyncio.run(main())
    told = capsys.readouterr().err
    assert SECRET not in told and "a mistake in a callback" in told and "ValueError" in told
