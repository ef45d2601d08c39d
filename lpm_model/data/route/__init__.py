"""Requests for a route, and what people change in them."""
