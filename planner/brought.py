"""What a turn comes with beside words."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, ConfigDict

from tools.code_writer.types import CodeGiven
from tools.scheduler.prepare import Given

__all__ = ["Brought"]


class Brought(BaseModel):
    """What a turn comes with beside words, for each tool that takes such."""

    model_config = ConfigDict(frozen=True)

    project: Given = Given()
    code: CodeGiven = CodeGiven()

    def after(self, earlier: Brought) -> Brought:
        """This, with what was given before and still holds."""
        kept = {
            "out": self.code.out or earlier.code.out,
            "functions": self.code.functions or earlier.code.functions,
        }
        code = self.code.model_copy(update=kept)
        return Brought(project=self.project.after(earlier.project), code=code)

    def kept(self, today: date) -> Brought:
        """What a session keeps of it after this day's turn."""
        return Brought(project=self.project.kept(today), code=self.code.model_copy(update={"diff": False}))
