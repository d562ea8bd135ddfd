"""Triangle meshes: what is closed, areas, normals, points on the surface, files (through trimesh)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.ir.errors import DataError, ShapeError, ToolMissingError, check_shape


class NotWatertightError(DataError):
    """A mesh with open edges, or with edges that more than two faces share: it has no inside."""


@dataclass(frozen=True, eq=False)
class Mesh:
    """Vertices and triangles.

    Attributes:
        vertices: float64 [n, 3].
        faces: int64 [m, 3], anticlockwise seen from outside.

    Raises:
        ShapeError: other shapes, or a face that names a vertex which is not there.
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]

    def __post_init__(self) -> None:
        check_shape("vertices", self.vertices.shape, "[n, 3]", (None, 3))
        check_shape("faces", self.faces.shape, "[m, 3]", (None, 3))
        if self.faces.size and not 0 <= self.faces.min() <= self.faces.max() < len(self.vertices):
            got, want = f"{self.faces.min()}…{self.faces.max()}", f"0…{len(self.vertices) - 1}"
            raise ShapeError.of("faces: a vertex", got, want, "Load the mesh again.")

    @cached_property
    def corners(self) -> NDArray[np.float64]:
        """Corner points of every face [m, 3 corners, 3]."""
        return self.vertices[self.faces]

    @cached_property
    def _crossed(self) -> NDArray[np.float64]:
        a, b, c = self.corners[:, 0], self.corners[:, 1], self.corners[:, 2]
        return np.cross(b - a, c - a)

    @cached_property
    def areas(self) -> NDArray[np.float64]:
        """Area of every face [m]."""
        return np.linalg.norm(self._crossed, axis=1) / 2

    @cached_property
    def normals(self) -> NDArray[np.float64]:
        """Unit normal of every face [m, 3]; zero for a face without area."""
        return self._crossed / np.maximum(2 * self.areas, 1e-300)[:, None]

    @property
    def volume(self) -> float:
        """Enclosed volume (divergence theorem); meaningful for closed meshes."""
        return float((self.corners[:, 0] * self._crossed).sum() / 6)

    @cached_property
    def edge_faults(self) -> int:
        """Directed edges that do not have exactly one opposite: 0 for a closed, oriented mesh."""
        start = self.faces.ravel()
        end = np.roll(self.faces, -1, axis=1).ravel()
        size = max(len(self.vertices), 1)
        ways, counts = np.unique(start * size + end, return_counts=True)
        back = ways % size * size + ways // size
        return int((counts > 1).sum() + (~np.isin(back, ways)).sum())

    @property
    def is_watertight(self) -> bool:
        """Closed: there are faces, and every edge has two that run along it in opposite directions."""
        return len(self.faces) > 0 and self.edge_faults == 0

    def watertight(self) -> Mesh:
        """This mesh, checked.

        Raises:
            NotWatertightError: with the number of faulty edges.
        """
        if self.is_watertight:
            return self
        got = f"{self.edge_faults} faulty edges of {3 * len(self.faces)}" if len(self.faces) else "no faces"
        mend = "Close its holes first (trimesh.repair, or the TSDF fusion that the authors use)."
        raise NotWatertightError.of("the mesh is not watertight", got, "every edge shared by two faces", mend)

    def sample(self, n: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """n points on the surface, uniform by area, and their normals: two float64 [n, 3].

        Raises:
            ShapeError: no face with an area.
        """
        total = self.areas.sum() if len(self.faces) else 0.0
        if not total > 0:
            raise ShapeError.of("a mesh to sample", f"area {total}", "an area above 0", "Leave empty meshes out.")
        chosen = np.searchsorted(np.cumsum(self.areas), rng.random(n) * total).clip(max=len(self.faces) - 1)
        u, v = rng.random((2, n, 1))
        u, v = np.where(u + v > 1, 1 - u, u), np.where(u + v > 1, 1 - v, v)
        a, b, c = (self.corners[chosen, i] for i in range(3))
        return a + u * (b - a) + v * (c - a), self.normals[chosen]

    def normalised(self) -> Mesh:
        """Centred, with a longest bounding edge of 1 (the authors' sample_mesh.py)."""
        low, high = self.vertices.min(0), self.vertices.max(0)
        return Mesh((self.vertices - (low + high) / 2) / (high - low).max(), self.faces)

    def save(self, path: Path) -> None:
        """Write OBJ, PLY, STL or OFF, by the name's ending; needs trimesh.

        Raises:
            ToolMissingError: no trimesh.
        """
        _trimesh().Trimesh(self.vertices, self.faces, process=False).export(str(path))


def load_mesh(path: str | Path) -> Mesh:
    """A mesh from OFF, OBJ, PLY, STL, …; equal vertices are merged.

    Raises:
        ToolMissingError: no trimesh.   DataError: no such file, or no mesh in it.
    """
    trimesh: Any = _trimesh()
    path = Path(path)
    if not path.is_file():
        raise DataError.of("mesh file", f"{path}, which is not there", "a file", "Correct the path.")
    try:
        read = trimesh.load(str(path), force="mesh", process=True)
        return Mesh(np.asarray(read.vertices, np.float64), np.asarray(read.faces, np.int64))
    except HANDLED as error:
        mend = "Use OFF, OBJ, PLY or STL."
        raise DataError.of(f"mesh file {path}", f"{type(error).__name__}: {error}", "a triangle mesh", mend) from error


HANDLED = (ValueError, KeyError, IndexError, AttributeError, NotImplementedError, TypeError, OSError)


def _trimesh() -> Any:
    try:
        import trimesh
    except ImportError as error:
        mend = "Install it: pip install 'hwsim[mesh]'."
        raise ToolMissingError.of("mesh files", "no trimesh", "the package trimesh", mend) from error
    return trimesh
