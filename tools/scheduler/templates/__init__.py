"""Work-breakdown templates: a YAML file for each goal, beside the code that reads them."""

from tools.scheduler.templates.library import Library, Template, TemplateError, read_templates

__all__ = ["Library", "Template", "TemplateError", "read_templates"]
