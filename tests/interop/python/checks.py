"""The smallest test runner that prints one line per check and goes on after a failure."""

import sys

from azure.core.exceptions import HttpResponseError

_passed = 0
_failed = 0


def check(name):
    """Runs the decorated function at once."""

    def run(body):
        global _passed, _failed
        try:
            body()
            _passed += 1
            print(f"ok    {name}", flush=True)
        except Exception as error:  # a failed check must not hide the next ones
            _failed += 1
            text = f"{type(error).__name__}: {error}".replace("\n", " | ")
            print(f"FAIL  {name}: line {_line(error)}: {text[:600]}", flush=True)
        return body

    return run


def end():
    print(f"{_passed} passed, {_failed} failed")
    sys.exit(0 if _failed == 0 and _passed > 0 else 1)


def equal(found, expected):
    assert found == expected, f"{found!r} is not {expected!r}"


def refused(status, call, *args, code=None, **options):
    """The error of a call that must be refused with this status; and, if given, with this code of the service."""
    try:
        answer = call(*args, **options)
    except HttpResponseError as error:
        equal(error.status_code, status)
        if code is not None:
            inner = (error.error.innererror or {}) if error.error else {}
            equal(inner.get("code") or error.error.code, code)
        return error
    raise AssertionError(f"expected {status}, but the call succeeded: {str(answer)[:200]}")


def _line(error):
    trace = error.__traceback__
    while trace.tb_next and trace.tb_next.tb_frame.f_globals.get("__package__") in (None, ""):
        trace = trace.tb_next
    return trace.tb_lineno
