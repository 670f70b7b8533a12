# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of a body's surface is inside out of place: faces of one part that cut through a part far from it.

DPoser counts the faces that MeshLab selects as self-intersecting on SMPL's skin. The bundled mannequin is made of
closed wooden pieces that sit in each other at every joint, so a face counts here only where it cuts a piece that is
no neighbour on the skeleton and that its own piece does not cut at rest. Folds of skin at a bent elbow, which SMPL
has, do not exist on wood and are not counted.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components, shortest_path
from scipy.spatial import cKDTree

from engine.body import Body
from engine.evaluation.places import with_root

PERCENT = 100.0


class SelfIntersection:
    """Measures poses on one body.

    Every connected piece of the mesh belongs to the joint whose rotation bends or turns it most. Two pieces are
    neighbours where no third joint that has pieces lies between their joints.

    Args:
        body: of separate closed pieces, as the bundled one.

    Raises:
        ValueError: the mesh is in one piece.
    """

    def __init__(self, body: Body) -> None:
        piece, joint = _pieces(body)
        if len(joint) < 2:
            raise ValueError("The body's mesh is in one piece; self-intersection is measured between pieces.")
        of_face = piece[body.faces[:, 0]]
        self._body = body
        self._faces = body.faces[np.argsort(of_face, kind="stable")]
        self._starts = np.concatenate([[0], np.cumsum(np.bincount(of_face))])
        self._pairs = np.argwhere(np.triu(~_neighbours(body.parents, joint), 1))
        at_rest = self._cuts(np.zeros((len(body.parents) - 1, 3)))
        self._pairs = np.array(
            [pair for pair, (i, _) in zip(self._pairs, at_rest, strict=True) if not len(i)]
        )

    def share(self, poses: np.ndarray) -> np.ndarray:
        """(N,) per cent of all faces that cut a piece they should not, of poses (N, 21, 3) axis-angle."""
        return np.array(
            [PERCENT * len(np.unique(self._cut_faces(pose))) / len(self._faces) for pose in poses]
        )

    def _cut_faces(self, pose: np.ndarray) -> np.ndarray:
        return np.concatenate([side for pair in self._cuts(pose) for side in pair])

    def _cuts(self, pose: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each pair of pieces, the faces of either that cut each other (with repetition)."""
        vertices = self._body.vertices(with_root(pose[None]), torch.zeros(1, 3))[0].numpy()
        corners = vertices[self._faces]
        low, high = _boxes(corners)
        starts = self._starts[:-1]
        lower = np.minimum.reduceat(low, starts)[self._pairs].max(axis=1)
        upper = np.maximum.reduceat(high, starts)[self._pairs].min(axis=1)
        cuts = []
        for pair, box_low, box_high in zip(self._pairs, lower, upper, strict=True):
            if (box_low > box_high).any():
                cuts.append((np.zeros(0, np.int64), np.zeros(0, np.int64)))
                continue
            spans = [slice(self._starts[k], self._starts[k + 1]) for k in pair]
            a, b = (
                span.start + np.flatnonzero(((low[span] <= box_high) & (high[span] >= box_low)).all(axis=1))
                for span in spans
            )
            i, j = crossing_pairs(corners[a], corners[b])
            cuts.append((a[i], b[j]))
        return cuts


def crossing_pairs(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which triangles of two sets cut each other.

    Two triangles cut where an edge of one passes through the other; triangles in one plane do not count.

    Args:
        a, b: (A, 3, 3) and (B, 3, 3) corners.

    Returns:
        Places (P,) in ``a`` and in ``b`` of every pair that cuts.
    """
    if not len(a) or not len(b):
        return np.zeros(0, int), np.zeros(0, int)
    centres = [t.mean(axis=1) for t in (a, b)]
    reach = sum(np.linalg.norm(t - c[:, None], axis=2).max() for t, c in zip((a, b), centres, strict=True))
    near = cKDTree(centres[0]).sparse_distance_matrix(cKDTree(centres[1]), reach, output_type="coo_matrix")
    i, j = near.row, near.col
    (a_low, a_high), (b_low, b_high) = _boxes(a), _boxes(b)
    meet = ((a_low[i] <= b_high[j]) & (b_low[j] <= a_high[i])).all(axis=1)
    i, j = i[meet], j[meet]
    cut = _edges_pass(a[i], b[j]) | _edges_pass(b[j], a[i])
    return i[cut], j[cut]


def _edges_pass(edged: np.ndarray, face: np.ndarray) -> np.ndarray:
    """(P,) whether an edge of the first passes through the second (Moller, Trumbore 1997, on segments)."""
    start = edged
    along = np.roll(edged, -1, axis=1) - edged
    u_axis, v_axis = (face[:, None, k] - face[:, None, 0] for k in (1, 2))
    p = np.cross(along, v_axis)
    determinant = (p * u_axis).sum(axis=2)
    with np.errstate(
        divide="ignore", invalid="ignore"
    ):  # an edge in the face's plane gives no number: no cut
        offset = start - face[:, None, 0]
        u = (offset * p).sum(axis=2) / determinant
        q = np.cross(offset, u_axis)
        v = (along * q).sum(axis=2) / determinant
        t = (v_axis * q).sum(axis=2) / determinant
        return ((u >= 0) & (v >= 0) & (u + v <= 1) & (t >= 0) & (t <= 1)).any(axis=1)


def _boxes(triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest corners (F, 3) of the triangles' bounding boxes."""
    a, b, c = triangles[:, 0], triangles[:, 1], triangles[:, 2]
    return np.minimum(np.minimum(a, b), c), np.maximum(np.maximum(a, b), c)


def _pieces(body: Body) -> tuple[np.ndarray, np.ndarray]:
    """(V,) piece of each vertex, and (P,) joint of each piece."""
    vertices = int(body.faces.max()) + 1
    edges = body.faces[:, [0, 1, 1, 2]].reshape(-1, 2).T
    graph = coo_matrix((np.ones(edges.shape[1], bool), tuple(edges)), (vertices, vertices))
    _, piece = connected_components(graph, directed=False)
    # One joint after the other is reflected while the rest stay: pieces it only carries move as one, its own do not.
    joints = len(body.parents)
    rotations = torch.eye(3).expand(joints + 1, joints, 3, 3).clone()
    rotations[torch.arange(joints), torch.arange(joints)] *= -1.0
    local = torch.eye(3).expand(joints + 1, joints, 3, 3)
    posed = body.skin(local, rotations, torch.zeros(joints + 1, 3)).numpy()[:, :vertices]
    size = np.bincount(piece)
    uneven = np.stack([_spread(moved, piece, size) for moved in posed[:-1] - posed[-1]])
    return piece, uneven.argmax(axis=0)


def _spread(moved: np.ndarray, piece: np.ndarray, size: np.ndarray) -> np.ndarray:
    """(P,) variance of displacements (V, 3) within each piece."""
    means = np.stack([np.bincount(piece, m) / size for m in moved.T], axis=1)
    return np.bincount(piece, ((moved - means[piece]) ** 2).sum(axis=1)) / size


def _neighbours(parents: tuple[int, ...], joint: np.ndarray) -> np.ndarray:
    """(P, P) whether the joints of two pieces are one, or no third one that has pieces lies between them."""
    child = np.arange(1, len(parents))
    bones = coo_matrix((np.ones(len(child)), (child, np.asarray(parents)[1:])), (len(parents), len(parents)))
    steps = shortest_path(bones, directed=False, unweighted=True)
    present = np.unique(joint)
    through = steps[:, present, None] + steps[None, present] == steps[:, None]  # (from, present joint, to)
    return (through.sum(axis=1) <= 2)[np.ix_(joint, joint)]  # the two themselves
