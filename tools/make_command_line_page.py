"""Bring docs/command-line.md up to date with the parsers of the command line.

    python tools/make_command_line_page.py

The page is written by hand, except for its blocks: the lines between ``<!-- block: NAME -->`` and ``<!-- end -->``. A
block describes the command of that name, or the exit codes. It is made from the actions of the parser, since the text
of ``--help`` depends on the version of Python and on the width of the terminal.
"""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from faceie.cli import build_parser
from faceie.cli.convert import facenet_parser, mtcnn_parser
from faceie.cli.terminal import EXIT_CODES

PAGE = Path(__file__).parent.parent / "docs" / "command-line.md"

_BLOCK = re.compile(r"^(<!-- block: (.*?) -->\n)(.*?)^(<!-- end -->)$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(
    r"""
    (?<![\w`]) (?:
        --? [a-z] [a-z-]* | --(?=[ ])    # an option
      | FACEIE_[A-Z]+ (?: =\w+ )?        # an environment variable
      | faceie (?: \ (?:{commands}) )+   # a command
      | [\w.*/]* [*/] [\w.*/]*           # a pattern for files
    )
    """.replace("{commands}", "compare|convert|detect|faces|fetch|index|list|people|search|weights"),
    re.VERBOSE,
)


def main() -> None:
    PAGE.write_text(update(PAGE.read_text("utf-8")), "utf-8", newline="\n")


def commands() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command by its name, such as ``faceie people name``."""
    found: dict[str, argparse.ArgumentParser] = {}
    for parser in (build_parser(), facenet_parser(), mtcnn_parser()):
        found.update(_with_subcommands(parser.prog, parser))
    return found


def update(page: str) -> str:
    """Return the page with its blocks made anew. Raises ValueError if a command has no block, or a block no command."""
    blocks = {name: _describe(name, parser) for name, parser in commands().items()}
    blocks["exit codes"] = _table("code", "meaning", {str(code): text for code, text in EXIT_CODES.items()})
    names = [match[2] for match in _BLOCK.finditer(page)]
    if sorted(names) != sorted(blocks):
        raise ValueError(f"blocks that are missing, unknown or there twice: {sorted({*names} ^ {*blocks}) or names}")
    return _BLOCK.sub(lambda match: f"{match[1]}{blocks[match[2]]}{match[4]}", page)


def options(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the flags of a parser, such as ``--json``."""
    for action in parser._actions:
        yield from action.option_strings


def _with_subcommands(name: str, parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    yield name, parser
    for subcommand, inner in _subcommands(parser).items():
        yield from _with_subcommands(f"{name} {subcommand}", inner)


def _subcommands(parser: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    choices = (action.choices for action in parser._actions if action.nargs == argparse.PARSER)
    return next((dict(choice) for choice in choices if choice is not None), {})


def _describe(name: str, parser: argparse.ArgumentParser) -> str:
    """Return usage, description, arguments and options, the commands of the command, and the epilog."""
    arguments: dict[str, str] = {}
    for action in sorted(parser._actions, key=lambda action: bool(action.option_strings)):
        if action.nargs != argparse.PARSER and "--help" not in action.option_strings:
            assert action.help, f"{name}: {action.dest} has no help"
            text = action.help % {**vars(action), "prog": parser.prog}
            arguments[f"`{_signature(action)}`"] = _markup(text)
    parts = ["```text\n" + " ".join([name, *_usage(parser)]) + "\n```\n", _sentences(parser.description or "")]
    if arguments:
        parts.append(_table("argument or option", "meaning", arguments))
    if subcommands := _subcommands(parser):
        parts.append(_table("command", "purpose", {f"`{name} {key}`": _help(parser, key) for key in subcommands}))
    if parser.epilog and name != "faceie":  # the exit codes have a block of their own
        is_prose = "{" not in parser.epilog
        parts.append(_sentences(parser.epilog) if is_prose else f"```text\n{parser.epilog.strip()}\n```\n")
    return "\n".join(parts)


def _usage(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the words of the usage after the name of the command."""
    if len([*options(parser)]) > len(("-h", "--help")):
        yield "[options]"
    for action in parser._actions:
        if action.nargs == argparse.PARSER:
            yield "COMMAND ..." if action.required else "[COMMAND ...]"
        elif not action.option_strings:
            name = action.metavar
            yield {None: f"{name}", "?": f"[{name}]", "*": f"[{name} ...]", "+": f"{name} [{name} ...]"}[action.nargs]  # type: ignore[index]


def _signature(action: argparse.Action) -> str:
    """Return an option with its values, such as ``--limit NUMBER``, or the name of an argument."""
    names = action.metavar if isinstance(action.metavar, tuple) else (action.metavar or "",)
    if not action.option_strings or action.nargs == 0:
        return ", ".join(action.option_strings) or names[0]
    repeated = f" [{names[0]} ...]" if action.nargs == "+" else ""
    return f"{', '.join(action.option_strings)} {' '.join(names)}{repeated}"


def _help(parser: argparse.ArgumentParser, subcommand: str) -> str:
    """Return the line about a command in the list of commands."""
    actions: Any = next(action for action in parser._actions if action.nargs == argparse.PARSER)
    return _markup(next(choice.help or "" for choice in actions._get_subactions() if choice.dest == subcommand))


def _sentences(text: str) -> str:
    """Return text with a line per sentence."""
    sentences = re.split(r"(?<=\.) (?=[A-Z-])", " ".join(text.split()))
    whole = (re.sub(r"`[^`]*`", lambda code: code[0].replace(" ", "\0"), _markup(line)) for line in sentences)
    lines = [textwrap.fill(line, 120, break_long_words=False, break_on_hyphens=False) for line in whole]
    return "\n".join(lines).replace("\0", " ") + "\n"


def _markup(text: str) -> str:
    """Mark options, commands, environment variables and patterns as code."""
    return _CODE.sub(r"`\g<0>`", text).replace("|", r"\|")


def _table(left: str, right: str, rows: Mapping[str, str]) -> str:
    return "\n".join([f"| {left} | {right} |", "|---|---|", *(f"| {key} | {rows[key]} |" for key in rows)]) + "\n"


if __name__ == "__main__":
    main()
