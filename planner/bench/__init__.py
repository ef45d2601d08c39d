"""Measure the planner on files of tasks whose meaning is known."""
