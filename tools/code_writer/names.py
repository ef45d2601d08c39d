"""Names for code: what a person calls a thing, as an identifier that nothing else is called."""

from __future__ import annotations

import keyword
import re
import unicodedata

from pydantic import BaseModel

__all__ = [
    "RESERVED_CLASSES",
    "RESERVED_ENUMS",
    "RESERVED_PLURALS",
    "module_of",
    "plural",
    "reserved_field",
    "snake",
    "words_of",
]

RESERVED_CLASSES = frozenset(
    {"Auth", "Base", "ClassVar", "Credential", "False", "Iterator", "None", "Seed", "True"}
)
"""Classes, groups of commands and parts that every program keeps for itself."""

RESERVED_ENUMS = frozenset(
    [
        "Annotated",
        "Any",
        "ClassVar",
        "InvalidReference",
        "NotAllowed",
        "NotFound",
        "Path",
        "Settings",
        "Store",
    ]
)
"""Classes that stand beside those of fixed values."""

RESERVED_PLURALS = frozenset(
    {"auth", "credentials", "docs", "health", "openapi", "redoc", "store", *keyword.kwlist}
)
"""Tables and paths that a program keeps for itself, and words of Python: of an "A" there are "as"."""

# What the rendered classes and functions call things within reach of a field's name, and constants of SQL.
_IN_SCOPE = frozenset(
    [
        "annotations",
        "as_json",
        "bool",
        "bytes",
        "ctx",
        "data",
        "database",
        "dict",
        "dt",
        "enum",
        "export_to",
        "false",
        "fields",
        "float",
        "given",
        "id",
        "include_deleted",
        "int",
        "item_id",
        "len",
        "limit",
        "list",
        "may_be_none",
        "metadata",
        "null",
        "offset",
        "orm",
        "output",
        "page",
        "property",
        "pydantic",
        "q",
        "query",
        "queries",
        "registry",
        "runtime",
        "sa",
        "self",
        "session",
        "set",
        "store",
        "str",
        "true",
        "tuple",
        "typer",
        "typing",
        "values",
    ]
)
# `links` holds the tables of pairs beside the models.
_BESIDE_MODULES = frozenset({"dict", "fastapi", "links", "list", "str", "typer"})
# `copy` and `json` of a pydantic model would be shadowed, `model_...` is refused.
_OF_MODELS = frozenset(name for name in dir(BaseModel) if not name.startswith("_"))
_OF_FEATURES = frozenset({"created_at", "updated_at", "deleted_at"})

_IRREGULAR = {
    "child": "children",
    "criterion": "criteria",
    "datum": "data",
    "foot": "feet",
    "goose": "geese",
    "index": "indices",
    "man": "men",
    "mouse": "mice",
    "ox": "oxen",
    "person": "people",
    "quiz": "quizzes",
    "tooth": "teeth",
    "woman": "women",
}
_UNCHANGED = frozenset(
    [
        "data",
        "equipment",
        "feedback",
        "fish",
        "furniture",
        "information",
        "inventory",
        "luggage",
        "media",
        "merchandise",
        "money",
        "news",
        "people",
        "series",
        "sheep",
        "software",
        "species",
        "staff",
        "stock",
    ]
)
_TO_VES = {"half", "knife", "leaf", "life", "loaf", "self", "shelf", "thief", "wife", "wolf"}


def words_of(said: str) -> list[str]:
    """The words of a name, in ASCII: ``LeaveRequest`` and ``leave request`` are ``leave``, ``request``.

    Letters lose their accents; what has no like in ASCII is left out, so the result may be empty.
    """
    plain = unicodedata.normalize("NFKD", said.replace("ß", "ss")).encode("ascii", "ignore").decode()
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*|\d+[a-z]*", plain)]


def snake(words: list[str]) -> str:
    """The words as a variable."""
    return "_".join(words)


def module_of(words: list[str]) -> str:
    """The words as a module, which is no word of Python and hides nothing that stands beside it."""
    name = snake(words)
    return f"{name}_" if keyword.iskeyword(name) or name in _BESIDE_MODULES else name


def plural(words: list[str]) -> str:
    """The words as a table: the last one in the plural."""
    *first, last = words
    return snake([*first, _plural(last)])


def _plural(word: str) -> str:
    if word in _UNCHANGED or word in _IRREGULAR.values():
        return word
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    for ending, many in _IRREGULAR.items():
        if ending in ("person", "child", "man", "woman") and word.endswith(ending) and word != "human":
            return word.removesuffix(ending) + many
    if word in _TO_VES:
        return word.removesuffix("fe").removesuffix("f") + "ves"
    if word.endswith("y") and word[-2:-1] not in set("aeiou"):
        return word.removesuffix("y") + "ies"
    if word.endswith(("ss", "x", "z", "ch", "sh", "us", "is")):
        return word.removesuffix("is") + "es" if word.endswith("is") else word + "es"
    return word if word.endswith("s") else word + "s"


def reserved_field(name: str) -> bool:
    """Whether a field cannot be called so: it would be a word of Python, or hide what the code needs."""
    return (
        keyword.iskeyword(name)
        or name in _IN_SCOPE
        or name in _OF_MODELS
        or name in _OF_FEATURES
        or name.startswith("model_")
    )
