"""Pictures of meshes: a z-buffer, one light at the camera, normals for shading; small, exact and without a display."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hwsim.ir.errors import UsageError
from ml.occnet.mesh import Mesh

AMBIENT = 0.25
SPAN = 1.5  # world units across the picture


@njit(cache=True, nogil=True)
def _raster(corners: Any, shades: Any, depth: Any, image: Any) -> None:  # pragma: no cover
    """Nearest triangle of every pixel; corners [m, 3, 3] in pixels and depth, nearer is larger."""
    size = len(image)
    for t in range(len(corners)):
        a, b, c = corners[t, 0], corners[t, 1], corners[t, 2]
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if area == 0:
            continue
        left, right = min(a[0], b[0], c[0]), max(a[0], b[0], c[0])
        top, bottom = min(a[1], b[1], c[1]), max(a[1], b[1], c[1])
        for y in range(max(int(np.ceil(top)), 0), min(int(np.floor(bottom)), size - 1) + 1):
            for x in range(max(int(np.ceil(left)), 0), min(int(np.floor(right)), size - 1) + 1):
                u = ((b[0] - x) * (c[1] - y) - (b[1] - y) * (c[0] - x)) / area
                v = ((c[0] - x) * (a[1] - y) - (c[1] - y) * (a[0] - x)) / area
                if u < 0 or v < 0 or u + v > 1:
                    continue
                z = u * a[2] + v * b[2] + (1 - u - v) * c[2]
                if z > depth[y, x]:
                    depth[y, x] = z
                    image[y, x] = shades[t]


def view_matrix(azimuth: float, elevation: float) -> NDArray[np.float64]:
    """Rows: right, up, towards the camera; angles in degrees, z is up.

    Raises:
        UsageError: an elevation outside −90…90.
    """
    if not -90 <= elevation <= 90:
        raise UsageError.of("elevation", elevation, "degrees in −90…90", "Change it.")
    a, e = np.deg2rad([azimuth, elevation])
    right = np.array([-np.sin(a), np.cos(a), 0.0])
    towards = np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
    return np.stack([right, np.cross(towards, right), towards])


def render(
    mesh: Mesh, size: int = 64, azimuth: float = -60.0, elevation: float = 25.0, background: float = 1.0
) -> NDArray[np.float32]:
    """A grey picture float32 [size, size] in 0…1, parallel projection, row 0 on top.

    Raises:
        UsageError: a size below 1 or an elevation out of range.

    Example:
        >>> flat = Mesh(np.array([[0, -1.0, -1], [0, 1, -1], [0, 0, 1]]), np.array([[0, 1, 2]]))
        >>> round(float(render(flat, 8, azimuth=0, elevation=0).min()), 2)
        1.0
        >>> round(float(render(flat, 8, azimuth=60, elevation=0).min()), 2)
        0.62
    """
    if size < 1:
        raise UsageError.of("picture size", size, "1 or more pixels", "Change it.")
    view = view_matrix(azimuth, elevation)
    corners = mesh.corners @ view.T
    corners[..., 0] = (corners[..., 0] / SPAN + 0.5) * size - 0.5
    corners[..., 1] = (0.5 - corners[..., 1] / SPAN) * size - 0.5
    shades = AMBIENT + (1 - AMBIENT) * np.abs(mesh.normals @ view[2])
    image = np.full((size, size), background, np.float32)
    _raster(corners, shades.astype(np.float32), np.full((size, size), -np.inf), image)
    return image
