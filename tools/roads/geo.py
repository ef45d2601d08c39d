"""Distances on the sphere, for arrays of points."""

from __future__ import annotations

import numpy as np

__all__ = ["EARTH_KM", "haversine_km", "segment_distance_km", "unit_vectors"]

EARTH_KM = 6371.0088  # mean radius, IUGG


def unit_vectors(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Points in degrees as unit vectors, shape (n, 3)."""
    la, lo = np.radians(lat), np.radians(lon)
    return np.stack([np.cos(la) * np.cos(lo), np.cos(la) * np.sin(lo), np.sin(la)], axis=-1)


def haversine_km(
    lat1: np.ndarray | float, lon1: np.ndarray | float, lat2: np.ndarray | float, lon2: np.ndarray | float
) -> np.ndarray:
    """Great-circle distance in kilometres between points in degrees; broadcasts."""
    la1, lo1, la2, lo2 = (np.radians(np.asarray(value, dtype=float)) for value in (lat1, lon1, lat2, lon2))
    half = np.sin((la2 - la1) / 2) ** 2 + np.cos(la1) * np.cos(la2) * np.sin((lo2 - lo1) / 2) ** 2
    distance: np.ndarray = 2 * EARTH_KM * np.arcsin(np.sqrt(np.clip(half, 0.0, 1.0)))
    return distance


def segment_distance_km(
    lat: float, lon: float, lat1: np.ndarray, lon1: np.ndarray, lat2: np.ndarray, lon2: np.ndarray
) -> np.ndarray:
    """Distance in kilometres from one point to straight segments in degrees, shape (n,).

    Segments are straight in longitude and latitude, as GeoJSON draws them; the plane is scaled at the
    point's latitude, which is exact enough near the point and never brings a far segment near.
    """
    scale = np.array([np.cos(np.radians(lat)), 1.0]) * np.radians(EARTH_KM)
    start = np.stack([lon1 - lon, lat1 - lat], axis=-1) * scale
    along = np.stack([lon2 - lon1, lat2 - lat1], axis=-1) * scale
    length2 = np.maximum((along**2).sum(-1), 1e-12)
    share = np.clip(-(start * along).sum(-1) / length2, 0.0, 1.0)
    away = start + share[..., None] * along
    distance: np.ndarray = np.hypot(away[..., 0], away[..., 1])
    return distance
