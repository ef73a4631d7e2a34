"""The command line ``faceie``. It knows nothing about faces, and is the only place in Faceie that prints.

===============  ==================================================================
`detect`         ``faceie detect``: find faces in photos
`compare`        ``faceie compare``: tell whether two photos show the same person
`index`          ``faceie index``: bring a gallery up to date with folders
`search`         ``faceie search``: find the photos of a person
`people`         ``faceie people``: list, name and correct the people in a gallery
`people_export`  ``faceie people export``, ``faceie people links``: names and folders for other programs
`people_import`  ``faceie people import``: import names from other programs
`questions`      ``faceie people suggestions``, ``yes``, ``no``, ``ignore``, ``undo`` ...
`browse`         ``faceie browse``: see and name people in a browser
`export`         ``faceie export``: print all faces for other programs
`add`            ``faceie import``: add a dataset or another gallery
`analyze`        ``faceie analyze``: find faces on a cluster
`forget`         ``faceie forget``: delete from the gallery
`backup`         ``faceie backup``: copy the gallery while it is in use
`weights`        ``faceie weights``: list, fetch and convert weights
`convert`        ``faceie-convert-facenet-weights``, ``faceie-convert-mtcnn-weights``
`parser`         the parser, and how a command is added to it
`options`        options that several commands share
`outputs`        files that a command writes
`drawing`        pictures with boxes
`text`           tables, plurals, and messages in terms of the command line
`terminal`       standard output, standard error, and exit codes
===============  ==================================================================

Results go to standard output, everything else to standard error. Exit codes:

===  =====================================================================================================
0    everything was done
1    an input could not be used, a result could not be written, or there was no face to compare;
     everything else was done
2    the command line is wrong
3    weights are missing or cannot be read
130  interrupted (Ctrl-C)
141  the program that reads the output has ended, such as ``head -1``
===  =====================================================================================================

Each command and option is described in ``docs/command-line.md``, which ``tools/make_command_line_page.py`` keeps up to
date with the parsers.
"""

from __future__ import annotations

import argparse
import textwrap
import warnings
from collections.abc import Sequence

from .. import __version__
from . import add, analyze, backup, browse, compare, detect, export, forget, index, people, search, weights
from .parser import Parser
from .terminal import EXIT_CODES, run_command

__all__ = ["build_parser", "main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``faceie`` with these arguments, or those of the process. Return the exit code.

    Like argparse, raise SystemExit after ``--help``, ``--version`` and a wrong command line.
    """

    def run() -> int:
        parsed = build_parser().parse_args(arguments)
        return int(parsed.run(parsed))

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\b")  # about corrupt metadata, which users cannot repair
        return run_command(run)


def build_parser() -> Parser:
    """Return the parser of ``faceie`` with all commands."""
    parser = Parser(
        prog="faceie",
        description="Find and recognize faces in photos, and search your own collection for people.",
        epilog=_exit_codes(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"faceie {__version__}", help="print the version")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (detect, compare, index, search, people, browse, export, add, analyze, forget, backup, weights):
        command.add_parser(commands)
    return parser


def _exit_codes() -> str:
    """Return the list of exit codes for the help."""
    lines = [
        textwrap.fill(meaning, 80, initial_indent=f"  {code:<3}  ", subsequent_indent=" " * 7)
        for code, meaning in EXIT_CODES.items()
    ]
    return "\n".join(["exit codes:", *lines])
