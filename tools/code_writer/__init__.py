"""Programs from specifications."""
