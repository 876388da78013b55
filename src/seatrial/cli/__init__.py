"""The `seatrial` command: what the fixtures do, for people who want it without a test."""

from seatrial.cli.main import main

__all__ = ["main"]
