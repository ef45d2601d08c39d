"""Answers for people (terminal) and for programs (one JSON object).

``answer`` holds what all answers have in common; every domain has a file of its own that says what its
results look like.
"""

from planner.report.answer import answer_object, error_object, print_answer
from planner.report.code import CODE
from planner.report.domain import Domain, visible
from planner.report.project import PROJECT
from planner.report.route import ROUTE

__all__ = ["CODE", "PROJECT", "ROUTE", "Domain", "answer_object", "error_object", "print_answer", "visible"]
