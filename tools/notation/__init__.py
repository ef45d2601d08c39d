"""The terse lines in which a tool call is written, derived from the tool's typed arguments.

    route
    from Knoxville
    to Cincinnati
    via Lexington, KY; Berea
    any order
    avoid motorways, tolls
    hours 3.5
    leave 6:15 am
    max 200 mi

The first line names the tool, every other line one argument, or one record of an argument that is a list;
an argument at its default has no line, and the order of the lines is that of the fields. The form takes a
third of the tokens of JSON. A field says how it is written with ``Annotated[type, Line("word", form)]``.
"""

from tools.notation.calls import Each, Line, Record, grammar, lines_begun, lines_of, read_call, write_call
from tools.notation.forms import (
    LABEL,
    LABELS,
    NAME,
    NAMES,
    Choice,
    Clock,
    Date,
    Flag,
    Form,
    Kinds,
    Number,
    Plain,
    Quantity,
    Several,
)

__all__ = [
    "LABEL",
    "LABELS",
    "NAME",
    "NAMES",
    "Choice",
    "Clock",
    "Date",
    "Each",
    "Flag",
    "Form",
    "Kinds",
    "Line",
    "Number",
    "Plain",
    "Quantity",
    "Record",
    "Several",
    "grammar",
    "lines_begun",
    "lines_of",
    "read_call",
    "write_call",
]
