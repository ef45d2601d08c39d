"""Requests for a project plan, and what people change in them."""
