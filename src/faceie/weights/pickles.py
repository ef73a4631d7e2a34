"""Pickles that hold data, read without running anything.

A pickle is a program for a small machine with a stack, and two of its operations, *global* and *reduce*, import any
function and call it: so `pickle.load` of a stranger's file runs the stranger's code. Here is the same machine without
those two powers. It knows the operations that data is made with; a *global* gives what the caller has put into a table,
and any other name is refused; calling works for functions from that table only, and setting attributes does nothing.
The operations are decoded by the standard library's `pickletools`, which runs nothing either.

Keys of dictionaries must be texts: nested tuples can be made to take forever to hash.
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


class _Mark:
    """Marks a place on the stack."""


_MARK = _Mark()


def load(data: bytes, allowed: Mapping[str, Any], persistent: Callable[[Any], Any]) -> tuple[Any, int]:
    """Return what the pickle at the start of `data` holds, and the number of its bytes.

    `allowed`: what stands for a name, "module.name"; a name that is not there is refused. What stands for a name is
    called if it is callable and the pickle says so. `persistent`: called with what the pickle says of something outside
    of it.
    Raises ValueError (and, for nonsense, IndexError, KeyError, TypeError).
    """
    stack: list[Any] = []
    memo: dict[int, Any] = {}

    def since_mark() -> list[Any]:
        place = max(i for i, item in enumerate(stack) if item is _MARK)
        items = stack[place + 1 :]
        del stack[place:]
        return items

    def find(name: str) -> Any:
        if name not in allowed:
            raise ValueError(f"it asks for {name}, which weights do not need; whatever that would do was not done")
        return allowed[name]

    def call(function: Any, arguments: Any) -> Any:
        if not any(function is value for value in allowed.values()) or not isinstance(arguments, tuple):
            raise ValueError("it calls something that weights do not need; whatever that would do was not done")
        return function(*arguments)

    def put(target: Any, items: list[Any]) -> None:
        keys, values = items[::2], items[1::2]
        if type(target) is not dict or not all(type(key) is str for key in keys):
            raise ValueError("it has a dictionary whose keys are not names")
        target.update(zip(keys, values, strict=True))

    operations: Iterator[tuple[Any, Any, Any]] = pickletools.genops(data[:LIMIT])
    for operation, argument, position in operations:
        name = operation.name
        if name in _CONSTANTS:
            stack.append(argument)
        elif name in _VALUES:
            stack.append(_VALUES[name]())
        elif name in _TUPLES:
            stack[-_TUPLES[name] :] = [tuple(stack[-_TUPLES[name] :])]
        elif name in ("PROTO", "FRAME"):
            pass
        elif name == "MARK":
            stack.append(_MARK)
        elif name == "TUPLE":
            stack.append(tuple(since_mark()))
        elif name == "APPEND":
            item = stack.pop()
            stack[-1].append(item)
        elif name == "APPENDS":
            items = since_mark()
            stack[-1].extend(items)
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            put(stack[-1], [key, value])
        elif name == "SETITEMS":
            items = since_mark()
            put(stack[-1], items)
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in ("BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name == "GLOBAL":
            stack.append(find(argument.replace(" ", ".", 1)))
        elif name == "STACK_GLOBAL":
            last, module = stack.pop(), stack.pop()
            stack.append(find(f"{module}.{last}"))
        elif name in ("REDUCE", "NEWOBJ"):
            arguments, function = stack.pop(), stack.pop()
            stack.append(call(function, arguments))
        elif name == "BUILD":
            stack.pop()  # attributes for the object below, which is a record of ours and gets none
        elif name == "BINPERSID":
            stack.append(persistent(stack.pop()))
        elif name == "STOP":
            return stack.pop(), position + 1
        else:
            raise ValueError(f"it uses the operation {name}, which weights do not need")
    raise ValueError("a pickle in it does not end")
