"""``faceie people suggestions``, ``yes``, ``no``, ``ignore``, ``cover``, ``born``, ``undo`` and their relatives."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeAlias

from .. import Gallery, OptionError
from ..gallery import Action, Suggestion
from .options import number_or_name
from .search import face_as_json
from .terminal import OK, ask, error, write
from .text import Table, plural, printable

__all__ = ["add_commands"]

Add: TypeAlias = Callable[..., None]
"""Adds a command of ``faceie people``: its name, its function, its help, and its arguments."""

_LEAST = 0.1  # probability of a suggestion

_SUGGESTIONS = Table({"probability": ">11", "faces": ">5", "question": "<24", "photo": ""})
_IGNORED = Table({"face": ">6", "reason": "<10", "said": "<4", "photo": ""})
_ACTIONS = Table({"date": "<16", "action": "<10", "faces": ">5", "people": ""})


def add_commands(add: Add) -> None:
    """Add these commands to ``faceie people``."""
    what = ("what", {"metavar": "WHAT", "help": "the number of a cluster, or a face, such as face17"})
    who = ("who", {"type": number_or_name, "metavar": "WHO", "help": "a name, or the number of a cluster"})
    faces = ("faces", {"type": int, "nargs": "+", "metavar": "FACE", "help": "the number of a face"})
    add(
        "suggestions",
        _suggestions,
        "list faces and clusters that are probably a person, for a yes or no",
        (
            "--ask",
            {"action": "store_true", "help": "ask for the answers, one by one: yes, no, a stranger, or who it is"},
        ),
        ("--limit", {"type": int, "default": 20, "metavar": "NUMBER", "help": "most questions (default: 20)"}),
        (
            "--min-probability",
            {
                "type": float,
                "default": _LEAST,
                "metavar": "PROBABILITY",
                "help": f"leave out questions whose answer is less probably yes (default: {_LEAST})",
            },
        ),
        ("--json", {"action": "store_true", "help": "print JSON Lines instead of the table"}),
    )
    add("yes", _answering(True), "answer a suggestion with yes: the face or cluster is this person", what, who)
    add("no", _answering(False), "answer a suggestion with no: it is not, and is not asked again", what, who)
    add(
        "ignore",
        _ignore,
        "leave faces out of people, clusters and searches, such as strangers",
        faces,
        ("--not-a-face", {"action": "store_true", "help": "they are not faces (default: strangers)"}),
    )
    add("ignored", _ignored, "list the ignored faces")
    add("unignore", _unignore, "take back that faces are ignored", faces)
    add(
        "cover",
        _cover,
        "choose the face that stands for a person",
        who,
        ("face", {"type": int, "metavar": "FACE", "help": "the number of one of the person's faces"}),
    )
    add(
        "born",
        _born,
        "set a date of birth: the person is not recognized in photos from before",
        who,
        ("date", {"metavar": "DATE", "help": "2001-05-23, 2001-05 or 2001, or unknown"}),
    )
    add(
        "undo",
        _undo,
        "take back the last names, merges, splits, answers and other statements",
        (
            "count",
            {"type": int, "nargs": "?", "default": 1, "metavar": "NUMBER", "help": "number of actions (default: 1)"},
        ),
        ("--list", {"action": "store_true", "help": "list the actions instead, the last one first"}),
    )


def _suggestions(arguments: argparse.Namespace) -> int:
    with Gallery(arguments.gallery, create=False) as gallery:
        questions = gallery.suggestions(limit=arguments.limit, min_probability=arguments.min_probability)
        if not questions:
            error("there is nothing to ask. Name clusters with faceie people name, and look again.")
        elif arguments.ask:
            _ask(gallery, questions)
        elif not arguments.json:
            write(_SUGGESTIONS.header)
        for question in [] if arguments.ask else questions:
            if arguments.json:
                write(json.dumps(_question_as_json(gallery, question)))
            else:
                about = f"{_what(question)} is {question.name or question.person}"
                probability = f"{question.probability:.2f}"
                write(_SUGGESTIONS.row(probability, len(question.faces), about, _photos(gallery, question)))
    return OK


def _ask(gallery: Gallery, questions: list[Suggestion]) -> None:
    """Ask for the answer to each question. Each answer is stored at once."""
    answers = 0
    gone: set[int | None] = set()  # clusters that have become part of a person
    for question in questions:
        if question.person in gone or (question.cluster is not None and question.cluster in gone):
            continue
        write(f"{plural(len(question.faces), 'face')}: {printable(_photos(gallery, question))}")
        about = f"Is {_what(question)} {printable(question.name or question.person)}?"
        answer = ""
        while not answer or not (answer in ("s", "q") or _store_answer(gallery, question, answer)):
            answer = ask(f"{about} ({question.probability:.0%}) [y/n/i/s/q or a name] ")
        if answer == "q":
            break
        if answer != "s":
            answers += 1
        if answer not in ("s", "n"):
            gone.add(question.cluster)
    write(f"{plural(answers, 'answer')} noted. faceie people undo takes back the last one.")


def _store_answer(gallery: Gallery, question: Suggestion, answer: str) -> bool:
    """Store an answer: y, n, i or a name. Return False, and tell why, if it is not valid."""
    try:
        if answer in ("y", "n"):
            gallery.answer(question, answer == "y")
        elif answer == "i":
            gallery.ignore(question.faces)
        elif len(answer) == 1:
            error("expected y (yes), n (no), i (ignore: a stranger), s (skip), q (quit), or who it is")
            return False
        else:
            gallery.confirm(answer, question.faces)
    except OptionError as refused:  # not a name
        error(str(refused))
        return False
    return True


def _what(question: Suggestion) -> str:
    """Return the face or cluster in question, as ``yes`` and ``no`` take it."""
    return f"face{question.faces[0]}" if question.cluster is None else str(question.cluster)


def _photos(gallery: Gallery, question: Suggestion) -> str:
    """Return the photo of the best face in question, and one of the person."""
    face = gallery.face(question.faces[0])
    example = gallery.person(question.person).example
    like = "" if example is None else f", like {gallery.face(example).path} (face {gallery.face(example).number})"
    return f"{face.path} (face {face.number}){like}"


def _question_as_json(gallery: Gallery, question: Suggestion) -> dict[str, Any]:
    face = face_as_json(gallery.face(question.faces[0]))
    return {**question._asdict(), "probability": round(question.probability, 4), "example": face}


def _answering(yes: bool) -> Callable[[argparse.Namespace], int]:
    """Return a command that answers one question."""

    def run(arguments: argparse.Namespace) -> int:
        with Gallery(arguments.gallery, create=False) as gallery:
            person = gallery.person(arguments.who)
            face = re.fullmatch(r"face\s*(\d+)", arguments.what, re.ASCII)
            cluster = None if face else gallery.person(number_or_name(arguments.what)).number
            faces = (int(face[1]),) if face else tuple(one.id for one in gallery.faces_of(cluster or 0))
            if cluster == person.number:
                raise OptionError(f"{arguments.what} is {printable(arguments.who)} already, expected another cluster")
            gallery.answer(Suggestion(faces, cluster, person.number, person.name, 1.0), yes)
        is_or_not = "is" if yes else "is not"
        who = person.name or f"cluster {person.number}"
        write(f"noted: {arguments.what}, {plural(len(faces), 'face')}, {is_or_not} {printable(who)}")
        return OK

    return run


def _ignore(arguments: argparse.Namespace) -> int:
    with Gallery(arguments.gallery, create=False) as gallery:
        gallery.ignore(arguments.faces, "not a face" if arguments.not_a_face else "stranger")
    write(f"ignored: {plural(len(set(arguments.faces)), 'face')}")
    return OK


def _ignored(arguments: argparse.Namespace) -> int:
    with Gallery(arguments.gallery, create=False) as gallery:
        faces = gallery.ignored_faces()
        if not faces:
            error("no face is ignored")
            return OK
        write(_IGNORED.header)
        for face in faces:
            said = "yes" if face.confirmed else "-"
            write(_IGNORED.row(face.id, face.ignored, said, f"{face.path} (face {face.number})"))
    return OK


def _unignore(arguments: argparse.Namespace) -> int:
    with Gallery(arguments.gallery, create=False) as gallery:
        count = gallery.unignore(arguments.faces)
    write(f"no longer ignored: {plural(count, 'face')}")
    return OK


def _cover(arguments: argparse.Namespace) -> int:
    with Gallery(arguments.gallery, create=False) as gallery:
        gallery.cover(arguments.who, arguments.face)
    write(f"noted: face {arguments.face} stands for {printable(arguments.who)}")
    return OK


def _born(arguments: argparse.Namespace) -> int:
    is_known = arguments.date != "unknown"
    with Gallery(arguments.gallery, create=False) as gallery:
        count = gallery.born(arguments.who, arguments.date if is_known else None)
    write(
        f"noted: {printable(arguments.who)} was born " + (f"in {arguments.date}" if is_known else "at an unknown time")
    )
    if count:
        write(f"{plural(count, 'face')} in earlier photos taken away. They were recognized, but not confirmed.")
    return OK


def _undo(arguments: argparse.Namespace) -> int:
    if arguments.count < 1:
        raise OptionError(f"undo: the number of actions is {arguments.count}, expected 1 or more")
    with Gallery(arguments.gallery, create=False) as gallery:
        if arguments.list:
            _list_actions(gallery.actions())
            return OK
        for _ in range(arguments.count):
            action = gallery.undo()
            people = f" ({', '.join(map(printable, action.people))})" if action.people else ""
            write(f"undone: {action.name} of {_time(action)}, {plural(action.faces, 'face')}{people}")
    return OK


def _list_actions(actions: list[Action]) -> None:
    if not actions:
        error("there is no action to undo")
        return
    write(_ACTIONS.header)
    for action in actions:
        write(_ACTIONS.row(_time(action), action.name, action.faces, ", ".join(action.people) or "-"))


def _time(action: Action) -> str:
    """Return the local time of an action."""
    return datetime.fromisoformat(action.made).astimezone().strftime("%Y-%m-%d %H:%M")
