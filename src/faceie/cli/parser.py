"""The parser of the command line, and how a command is added to it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

from .options import add_gallery_option

__all__ = ["Parser", "Run", "add_command"]

Run = Callable[[argparse.Namespace], int]


class Parser(argparse.ArgumentParser):
    """A parser that accepts no abbreviations: a new option would make them ambiguous."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(allow_abbrev=False, **keywords)

    def error(self, message: str) -> NoReturn:
        """Exit with the code of a wrong command line, even if standard error cannot be written."""
        with suppress(OSError):
            super().error(message)
        raise SystemExit(2)


def add_command(
    commands: Any,
    name: str,
    run: Run | None,
    *,
    help: str,
    description: str | None = None,
    epilog: str | None = None,
    gallery: bool = False,
) -> Parser:
    """Add a command, and return its parser for further options.

    Parameters
    ----------
    commands
        The object that `add_subparsers` returned.
    name
        The name of the command.
    run
        The function that runs the command and returns the exit code. None if only the command's own commands run.
    help
        The line in the list of commands.
    description, epilog
        The text before and after the options in the command's own help; lines are kept. By default, the description
        is `help` as a sentence.
    gallery
        Whether the command has the option ``--gallery``.
    """
    parser: Parser = commands.add_parser(
        name,
        help=help,
        description=description or f"{help[0].upper()}{help[1:]}.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if run is not None:
        parser.set_defaults(run=run)
    if gallery:
        add_gallery_option(parser)
    return parser
