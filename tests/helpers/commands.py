"""Runs commands in this process and returns what they print."""

from __future__ import annotations

import json
from typing import Any

import pytest

from primeval.scripts.cli import main

Capture = pytest.CaptureFixture[str]


def as_json(capture: Capture, *arguments: object) -> Any:
    assert main([*map(str, arguments), "--json"]) == 0
    return json.loads(capture.readouterr().out)


def printed(capture: Capture, *arguments: object) -> str:
    assert main([*map(str, arguments)]) == 0
    return capture.readouterr().out


def refused(capture: Capture, *arguments: object) -> str:
    """The one message that a command prints about a user's mistake."""
    try:
        status = main([*map(str, arguments)])
    except SystemExit as stop:  # raised by argparse
        status = int(str(stop.code))
    captured = capture.readouterr()
    assert status == 2
    assert captured.out == ""
    assert "Traceback" not in captured.err
    return captured.err
