"""Write results to files, each domain in a file of its own. Each file appears whole or not at all."""

from planner.write.code import write_code
from planner.write.project import write_project
from planner.write.route import write_route
from planner.write.targets import check_target

__all__ = ["check_target", "write_code", "write_project", "write_route"]
