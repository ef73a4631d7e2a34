"""The command line: ``faceie``. It holds no logic of faces, and is the only place in Faceie that prints.

===============  ==========================================================================
`detect`         ``faceie detect``: find faces in photos; table, JSON, pictures, crops
`compare`        ``faceie compare``: are these two the same person?
`index`          ``faceie index``: photos into a gallery
`search`         ``faceie search``: the photos that show a person
`people`         ``faceie people``: who is in the gallery
`export`         ``faceie export``: all faces, for other programs
`forget`         ``faceie forget``: delete from the gallery
`backup`         ``faceie backup``: copy the gallery while it is in use
`weights`        ``faceie weights``: which weights are on this machine, fetch, convert
`convert`        ``faceie-convert-facenet-weights``, ``faceie-convert-mtcnn-weights``
`options`        arguments that several commands have
`results`        files that a command writes
`drawing`        pictures with boxes
`terminal`       writing, complaining, and how a command ends
===============  ==========================================================================

What was asked for goes to standard output, everything else to standard error. Exit codes:

===  =====================================================================================================
0    all went well
1    something could not be used or done, or there was no face to compare; all the rest was done
2    the command line is wrong
3    weights are missing or cannot be read
130  interrupted (Ctrl-C)
141  whoever read the output went away (``faceie detect ... | head -1``)
===  =====================================================================================================
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence

from .. import __version__
from . import backup, compare, detect, export, forget, index, people, search, weights
from .options import Parser
from .terminal import guarded

__all__ = ["main"]

_EXIT_CODES = """\
exit codes:
  0    all went well
  1    something could not be used or done, or there was no face to compare;
       all the rest was done
  2    the command line is wrong
  3    weights are missing or cannot be read
  130  interrupted (Ctrl-C)
  141  whoever read the output went away
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``faceie`` with these arguments, or those of the process; return the exit code.

    As argparse does, it raises SystemExit after ``--help``, ``--version`` and a wrong command line.
    """

    def run() -> int:
        parsed = _parser().parse_args(arguments)
        return int(parsed.run(parsed))

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\b")  # of corrupt metadata: nothing that its user could mend
        return guarded(run)


def _parser() -> Parser:
    parser = Parser(
        prog="faceie",
        description="Find and recognize faces in photos, and search your own collection for people.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"faceie {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (detect, compare, index, search, people, export, forget, backup, weights):
        command.add_parser(commands)
    return parser
