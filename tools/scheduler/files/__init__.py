"""Projects in files: CSV, YAML and MS Project XML in; CSV, XML, iCalendar, Mermaid and a Gantt page out."""

from tools.scheduler.files.entries import PlanFileError
from tools.scheduler.files.read import read_plan

__all__ = ["PlanFileError", "read_plan"]
