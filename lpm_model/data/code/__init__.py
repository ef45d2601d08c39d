"""Requests for a program, and what people change in them."""
