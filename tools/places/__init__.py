"""Gazetteer of the United States: from a name as a person says it to one place, or an honest no."""

from tools.places.gazetteer import Gazetteer
from tools.places.names import STATES
from tools.places.types import Ambiguous, Found, Place, Resolution, Unknown

__all__ = ["STATES", "Ambiguous", "Found", "Gazetteer", "Place", "Resolution", "Unknown"]
