"""Functions that no template knows: read from a file, their bodies written by a model under their tests."""

from __future__ import annotations

from tools.code_writer.logic.bodies import body_end, body_of, imports_of
from tools.code_writer.logic.model import CodeModel, Failed, ModelRepairer, Proposed, Repairer, Task
from tools.code_writer.logic.source import Function, Logic, read_logic
from tools.code_writer.logic.texts import module_text, tests_text
from tools.code_writer.logic.trial import judged
from tools.code_writer.logic.writing import NO_MODEL, Written, write_bodies

__all__ = [
    "NO_MODEL",
    "CodeModel",
    "Failed",
    "Function",
    "Logic",
    "ModelRepairer",
    "Proposed",
    "Repairer",
    "Task",
    "Written",
    "body_end",
    "body_of",
    "imports_of",
    "judged",
    "module_text",
    "read_logic",
    "tests_text",
    "write_bodies",
]
