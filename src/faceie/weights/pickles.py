"""Pickles that hold data, read without running anything.

A pickle is a program for a small machine with a stack. Two of its operations, *global* and *reduce*, import and call
any function, so `pickle.load` of a stranger's file runs the stranger's code. This module is the same machine without
those two powers. It knows the operations that make data. A *global* is looked up in a table of the caller, and other
names are refused. Only functions of that table are called, and setting attributes does nothing. The operations are
decoded by the standard library's `pickletools`, which runs nothing either.

Keys of dictionaries must be texts: hashing nested tuples can be made to take forever.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ["LIMIT", "load"]

LIMIT = 1 << 20  # bytes of a pickle; those of honest weights have up to 150,000

_CONSTANTS = {
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES"),
}
_VALUES: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def load(data: bytes, allowed: Mapping[str, Any], persistent: Callable[[Any], Any]) -> tuple[Any, int]:
    """Return the object in the pickle at the start of `data`, and the number of its bytes.

    `allowed`: the substitutes for names, "module.name". Other names are refused. The pickle may call the substitutes.
    `persistent`: called for each persistent id, a reference to data outside of the pickle. Raises ValueError.
    """
    try:
        return _Machine(allowed, persistent).run(data[:LIMIT])
    except (LookupError, TypeError, AttributeError, RecursionError) as error:  # the operations do not fit together
        raise ValueError(f"a pickle in it is invalid ({error})") from error


class _Machine:
    """The machine that runs pickles."""

    def __init__(self, allowed: Mapping[str, Any], persistent: Callable[[Any], Any]) -> None:
        self.allowed = allowed
        self.persistent = persistent
        self.stack: list[Any] = []
        self.marks: list[int] = []  # heights of the stack
        self.memo: dict[int, Any] = {}

    def run(self, data: bytes) -> tuple[Any, int]:
        operations: Iterator[tuple[Any, Any, Any]] = pickletools.genops(data)
        for operation, argument, position in operations:
            if operation.name == "STOP":
                return self.stack.pop(), position + 1
            self.step(operation.name, argument)
        raise ValueError("a pickle in it does not end")

    def step(self, name: str, argument: Any) -> None:
        """Do one operation."""
        stack = self.stack
        if name in _CONSTANTS:
            stack.append(argument)
        elif name in _VALUES:
            stack.append(_VALUES[name]())
        elif name in _TUPLES:
            stack[-_TUPLES[name] :] = [tuple(stack[-_TUPLES[name] :])]
        elif name == "MARK":
            self.marks.append(len(stack))
        elif name == "TUPLE":
            stack.append(tuple(self.since_mark()))
        elif name in ("APPEND", "APPENDS"):
            items = [stack.pop()] if name == "APPEND" else self.since_mark()
            stack[-1].extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            items = [stack.pop(), stack.pop()][::-1] if name == "SETITEM" else self.since_mark()
            self.set_items(stack[-1], items)
        elif name in ("MEMOIZE", "BINPUT", "LONG_BINPUT"):
            self.memo[len(self.memo) if name == "MEMOIZE" else argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self.memo[argument])
        elif name == "GLOBAL":
            stack.append(self.find(argument.replace(" ", ".", 1)))
        elif name == "STACK_GLOBAL":
            attribute, module = stack.pop(), stack.pop()
            stack.append(self.find(f"{module}.{attribute}"))
        elif name in ("REDUCE", "NEWOBJ"):
            arguments, function = stack.pop(), stack.pop()
            stack.append(self.call(function, arguments))
        elif name == "BUILD":
            stack.pop()  # attributes for the object below, a substitute, which gets none
        elif name == "BINPERSID":
            stack.append(self.persistent(stack.pop()))
        elif name not in ("PROTO", "FRAME"):
            raise ValueError(f"it uses the operation {name}, which weights do not need")

    def since_mark(self) -> list[Any]:
        height = self.marks.pop()
        items = self.stack[height:]
        del self.stack[height:]
        return items

    def find(self, name: str) -> Any:
        if name not in self.allowed:
            raise ValueError(f"it asks for {name}, which weights do not need; it was not run")
        return self.allowed[name]

    def call(self, function: Any, arguments: Any) -> Any:
        if not any(function is value for value in self.allowed.values()) or type(arguments) is not tuple:
            raise ValueError("it calls something that weights do not need; it was not run")
        return function(*arguments)

    def set_items(self, target: Any, items: list[Any]) -> None:
        keys, values = items[::2], items[1::2]
        if type(target) is not dict or not all(type(key) is str for key in keys):
            raise ValueError("it has a dictionary whose keys are not names")
        target.update(zip(keys, values, strict=True))
