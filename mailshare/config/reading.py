"""From the parsed TOML to :class:`FileTables`, with every mistake of form noted by its path.

cattrs reports all mistakes of a table at once but returns nothing then. So each mistake is taken out of the tree and
the rest is read again: checks of meaning then still see everything that is right.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

import cattrs
from cattrs.errors import (
    AttributeValidationNote,
    ClassValidationError,
    ForbiddenExtraKeysError,
    IterableValidationError,
    IterableValidationNote,
)
from cattrs.gen import make_dict_structure_fn, override

from mailshare.config.problems import Findings
from mailshare.config.schema import (
    REQUIRED,
    FileTables,
    Secret,
    WindowTable,
    keys_of,
)

_WORDS: Mapping[type, str] = {str: "a text in quotes", int: "a whole number", bool: "true or false"}
_SECRET_KINDS = ("env", "file", "credential", "sealed", "left_out")
Path = tuple[str | int, ...]


class _WrongForm(ValueError):
    """A value of the wrong kind; the text says which is wanted."""


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _simple(value: object, kind: type) -> object:
    if type(value) is not kind:
        raise _WrongForm(f"{_shown(value)} is not {_WORDS[kind]}")
    return value


def _literal(value: object, kind: Any) -> object:
    choices = get_args(kind)
    if value in choices:
        return value
    near = difflib.get_close_matches(str(value), choices, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise _WrongForm(f"{_shown(value)} is none of {', '.join(choices)}{hint}")


def _secret(value: object, _: Any) -> Secret:
    if isinstance(value, str):
        return Secret("literal", value)
    if not isinstance(value, Mapping):
        raise _WrongForm("a password is a text, or one of {env=}, {file=}, {credential=}, {command=[]}")
    if set(value) <= {"hash", "scram"} and "hash" in value and all(isinstance(part, str) for part in value.values()):
        return Secret("hash", str(value["hash"]), str(value.get("scram", "")))
    if value and set(value) <= {"collect", "relay"}:
        return Secret("split", json.dumps({key: _secret(one, None).reference() for key, one in value.items()}))
    if len(value) != 1:
        raise _WrongForm("a password needs exactly one of env, file, credential, command")
    ((kind, inner),) = value.items()
    if kind == "command":
        if not isinstance(inner, list) or not inner or not all(isinstance(word, str) for word in inner):
            raise _WrongForm('command is a list of texts, e.g. ["pass", "show", "isp"]')
        return Secret("command", json.dumps(inner))
    if kind not in _SECRET_KINDS:
        raise _WrongForm(f"{kind!r} is none of env, file, credential, command")
    if not isinstance(inner, str) or not inner:
        raise _WrongForm(f"{kind} needs a text in quotes")
    return Secret(kind, inner)


def _tuple(value: object, kind: Any, converter: cattrs.Converter) -> tuple[object, ...]:
    if not isinstance(value, list):
        if isinstance(value, Mapping):
            raise _WrongForm("is a list of tables, write [{ ... }]")
        raise _WrongForm(f"{_shown(value)} is not a list, write [{_shown(value)}]")
    element = get_args(kind)[0]
    out, errors = [], []
    for index, one in enumerate(value):
        try:
            out.append(converter.structure(one, element))
        except Exception as error:  # noqa: BLE001 - collected and raised together, as cattrs does
            error.__notes__ = [
                *getattr(error, "__notes__", []),
                IterableValidationNote(f"item {index}", index, element),
            ]
            errors.append(error)
    if errors:
        raise IterableValidationError("items", errors, kind)
    return tuple(out)


def _made_of(origin: Any) -> Callable[[Any], bool]:
    def fits(kind: Any) -> bool:
        return get_origin(kind) is origin

    return fits


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True, detailed_validation=True)
    for kind in (str, int, bool):
        converter.register_structure_hook(kind, _simple)
    converter.register_structure_hook(Secret, _secret)
    converter.register_structure_hook_func(_made_of(Literal), _literal)
    converter.register_structure_hook_func(
        _made_of(tuple), lambda value, kind: _tuple(value, kind, converter)
    )
    converter.register_structure_hook_func(_made_of(Mapping), _mapping)
    window = make_dict_structure_fn(
        WindowTable, converter, from_=override(rename="from"), _cattrs_forbid_extra_keys=True
    )
    converter.register_structure_hook(WindowTable, lambda value, kind: window(_table(value), kind))
    return converter


def _table(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise _WrongForm(f"{_shown(value)} is not a table")
    return value


def _mapping(value: object, kind: Any) -> Mapping[str, object]:
    """A table of free keys; its values are looked at where they are used, but for secrets."""
    table = _table(value)
    if get_args(kind)[1:] == (Secret,):
        return {name: _secret(one, Secret) for name, one in table.items()}
    return dict(table)


def read_tables(tree: Mapping[str, Any], findings: Findings) -> FileTables:
    """Everything in ``tree`` that has the right form; what has not is noted in ``findings`` and left out."""
    rest = _copy(tree)
    _need_tables(rest, findings)
    converter = _converter()
    while True:
        try:
            return converter.structure(rest, FileTables)
        except ClassValidationError as error:
            for path in {path for step, inner in _leaves(error, ()) for path in _note(step, inner, findings)}:
                _remove(rest, path)


def _remove(rest: Any, path: Path) -> None:
    """Take the key out that holds the mistake; lists lose the whole key, so that the indices of tables stay right."""
    holder, key = None, ""
    node = rest
    for part in path:
        if isinstance(part, str) and isinstance(node, dict):
            holder, key = node, part
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            break
    if holder is not None:
        holder.pop(key, None)


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copy(one) for key, one in value.items()}
    return [_copy(one) for one in value] if isinstance(value, list) else value


def _need_tables(rest: dict[str, Any], findings: Findings) -> None:
    """Sections that are no tables, and tables without the keys they need, are taken out first."""
    hints = get_type_hints(FileTables)
    for name in list(rest):
        many = get_origin(hints.get(name)) is tuple
        if name not in hints:
            continue
        if many and not isinstance(rest[name], list):
            findings.error((name,), f"write [[{name}]] with two brackets", at_key=True)
            del rest[name]
        elif not many and not isinstance(rest[name], dict):
            findings.error((name,), f"{name} is a table: write [{name}]", at_key=True)
            del rest[name]
    for name, required in REQUIRED.items():
        for index, one in enumerate(rest.get(name, ())):
            for key in required:
                if isinstance(one, dict) and key not in one:
                    findings.error((name, index, key), f"{key} is missing")
                    one[key] = ""


def _leaves(error: BaseException, path: Path) -> list[tuple[Path, BaseException]]:
    """Each single mistake in a tree of cattrs errors with its path."""
    if not isinstance(error, ClassValidationError | IterableValidationError):
        return [(path, error)]
    out: list[tuple[Path, BaseException]] = []
    for inner in error.exceptions:
        step: Path = ()
        for note in getattr(inner, "__notes__", ()):
            if isinstance(note, AttributeValidationNote):
                step = (note.name.rstrip("_"),)
            elif isinstance(note, IterableValidationNote):
                step = (int(note.index),)
        out.extend(_leaves(inner, path + step))
    return out


def _note(path: Path, error: BaseException, findings: Findings) -> list[Path]:
    """Put one mistake into words; the result is what to take out."""
    if isinstance(error, ForbiddenExtraKeysError):
        known = keys_of(error.cl)
        for key in sorted(error.extra_fields):
            near = difflib.get_close_matches(key, known, 1, 0.6)
            hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
            findings.error((*path, key), "unknown key", hint, at_key=True)
        return [(*path, key) for key in error.extra_fields]
    text = str(error) if isinstance(error, _WrongForm) else "has the wrong form"
    findings.error(path, text)
    return [path]
