"""Things of the shapes world: signed distances, surface details, relief, light and shadow."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import cv2
import numpy as np

from mmodise.datasets.shapes_world.stuff import SIZE, grid, mix, smooth_step

_LIGHT = np.float32((-0.45, -0.65, 0.75)) / np.linalg.norm((-0.45, -0.65, 0.75))
_HALFWAY = (_LIGHT + np.float32((0, 0, 1))) / np.linalg.norm(_LIGHT + np.float32((0, 0, 1)))
_COLORS = {'red': (218, 36, 38), 'blue': (42, 92, 222), 'yellow': (250, 200, 36)}
_STRIPES = np.float32((132, 58, 176))  # on white
_WHITE = np.float32((248, 246, 240))
_CREAM = np.float32((255, 246, 214))
_SPRINKLES = np.float32(((255, 255, 255), (255, 110, 190), (70, 225, 235), (96, 52, 30)))


_Point = tuple[float, float]


class _Layer(NamedTuple):
    """Strokes of one colour that run into each other, in the thing's own frame."""

    strokes: list[tuple[_Point, _Point, float]]
    """Round-ended lines: start, end and half width; a dot where the ends are equal."""
    color: np.ndarray = _CREAM


@dataclass(frozen=True)
class Thing:
    """One toy, placed.

    Args:
        shape (str): Key of ``SHAPES``.
        attribute (str): Key of ``ATTRIBUTES``.
        x (float): Centre, pixels from the left.
        y (float): Centre, pixels from the top.
        radius (float): Of the circle around it, in pixels.
        angle (float): Rotation in radians.
        seed (int): Decides the shades of colour and the width of stripes, and where sprinkles lie.
    """

    shape: str
    attribute: str
    x: float
    y: float
    radius: float
    angle: float
    seed: int

    @property
    def class_name(self) -> str:
        """Display name of the class."""
        return f'{self.attribute} {self.shape}'

    def local_grid(self) -> tuple[np.ndarray, np.ndarray]:
        """Every pixel in the thing's own frame (radius 1, not rotated): u, v."""
        x, y = grid()
        x, y = (x - self.x) / self.radius, (y - self.y) / self.radius
        cos, sin = float(np.cos(self.angle)), float(np.sin(self.angle))  # floats keep float32
        return cos * x + sin * y, cos * y - sin * x

    @cached_property
    def distance(self) -> np.ndarray:
        """Signed distance to the outline in pixels, negative inside; (SIZE, SIZE)."""
        return _DISTANCES[self.shape](*self.local_grid()) * self.radius


def _line_distance(u: np.ndarray, v: np.ndarray, start: _Point, end: _Point) -> np.ndarray:
    """Squared distance of every (u, v) to a line between two points, which may be equal."""
    (u0, v0), (du, dv) = start, (end[0] - start[0], end[1] - start[1])
    t = np.clip(((u - u0) * du + (v - v0) * dv) / (du * du + dv * dv or 1), 0, 1)
    return (u - u0 - t * du) ** 2 + (v - v0 - t * dv) ** 2


def _polygon_distance(u: np.ndarray, v: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Signed distance of every (u, v) to a polygon, corners (N, 2); negative inside."""
    nearest = np.full_like(u, np.inf)
    inside = np.zeros(u.shape, bool)
    ends = np.roll(corners, -1, axis=0)
    for (x0, y0), (x1, y1) in zip(corners.tolist(), ends.tolist(), strict=True):
        nearest = np.minimum(nearest, _line_distance(u, v, (x0, y0), (x1, y1)))
        # A ray to the right crosses the outline an odd number of times from inside.
        if y1 != y0:
            inside ^= ((y0 > v) != (y1 > v)) & (u < x0 + (v - y0) * (x1 - x0) / (y1 - y0))
    return np.sqrt(nearest) * np.where(inside, -1, 1)


def _star_corners() -> np.ndarray:
    angle = np.arange(10) * np.pi / 5 - np.pi / 2
    radius = np.where(np.arange(10) % 2, 0.46, 0.92)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _box_distance(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    rounding, half_side = 0.14, 0.8
    a, b = (np.abs(axis) - half_side + rounding for axis in (u, v))
    outside = np.hypot(np.maximum(a, 0), np.maximum(b, 0))
    return outside + np.minimum(np.maximum(a, b), 0) - rounding


_DISTANCES = {
    'ball': lambda u, v: np.hypot(u, v) - 1,
    'box': _box_distance,
    'star': lambda u, v: _polygon_distance(u, v, _star_corners()) - 0.08,
    'ring': lambda u, v: np.abs(np.hypot(u, v) - 0.69) - 0.31,
}


def _ribbon(rng: np.random.Generator) -> Iterator[_Layer]:
    """Of a box, as a present: a cross and, on it, a bow."""
    yield _Layer([((-1, 0), (1, 0), 0.11), ((0, -1), (0, 1), 0.11)])
    yield _Layer([((0, 0), (-0.28, -0.24), 0.12)])
    yield _Layer([((0, 0), (0.28, -0.24), 0.12)])
    yield _Layer([((0, 0), (0, 0), 0.11)])


def _arm_dots(rng: np.random.Generator) -> Iterator[_Layer]:
    """Of a star, as a starfish: a dot in the middle and a row along each arm."""
    dots = [((0, 0), (0, 0), 0.11)]
    for angle in np.arange(5) * 2 * np.pi / 5 - np.pi / 2:
        for place, radius in ((0.34, 0.1), (0.65, 0.09)):
            center = (place * float(np.cos(angle)), place * float(np.sin(angle)))
            dots.append((center, center, radius))
    yield _Layer(dots)


def _sprinkles(rng: np.random.Generator) -> Iterator[_Layer]:
    """Of a ring, as a doughnut: short strokes of many colours in all directions."""
    strokes = []
    for index in range(16):
        angle = (index + rng.uniform(-0.25, 0.25)) * 2 * np.pi / 16
        place = 0.69 + (0.14 if index % 2 else -0.12) + rng.uniform(-0.03, 0.03)
        middle = place * np.exp(1j * angle)
        half = 0.09 * np.exp(1j * rng.uniform(0, np.pi))
        start, end = middle - half, middle + half
        strokes.append(((start.real, start.imag), (end.real, end.imag), 0.07))
    for index, color in enumerate(_SPRINKLES):
        # The four of a colour are five apart, so that both rows have every colour.
        yield _Layer([strokes[(index * 4 + 5 * i) % 16] for i in range(4)], color)


_DETAILS = {'box': _ribbon, 'star': _arm_dots, 'ring': _sprinkles}
"""By shape: what is on its surface, lower layers first. A ball has none: it is plain and glossy."""
# How far from the outline, in radii, the surface has risen to its full height.
_BEVELS = {'ball': 1.0, 'box': 0.3, 'star': 0.42, 'ring': 0.31}


def _normals(thing: Thing, distance: np.ndarray) -> np.ndarray:
    """Surface normals of the thing as a rounded relief, (SIZE, SIZE, 3), length 1."""
    bevel = _BEVELS[thing.shape] * thing.radius
    rise = np.clip(-distance / bevel, 0, 1)
    height = bevel * np.sqrt(1 - (1 - rise) ** 2)
    height = cv2.GaussianBlur(height.astype(np.float32), (0, 0), 0.06 * thing.radius)
    slope_y, slope_x = np.gradient(height)
    normals = np.stack([-slope_x, -slope_y, np.ones_like(height)], axis=-1)
    return normals / np.linalg.norm(normals, axis=-1, keepdims=True)


def _paint(thing: Thing) -> np.ndarray:
    """Colour of the thing without light, (SIZE, SIZE, 3), RGB in 0..255."""
    rng = np.random.default_rng(thing.seed)
    color = _stripes(thing, rng) if thing.attribute == 'striped' else _plain_color(thing, rng)
    details = _DETAILS.get(thing.shape)
    return _paint_details(color, thing, details(rng)) if details else color


def _plain_color(thing: Thing, rng: np.random.Generator) -> np.ndarray:
    color = np.float32(_COLORS[thing.attribute]) + rng.uniform(-14, 14, 3).astype(np.float32)
    return np.broadcast_to(color, (SIZE, SIZE, 3))


def _stripes(thing: Thing, rng: np.random.Generator) -> np.ndarray:
    u, v = thing.local_grid()
    across, along = (u + v) / np.sqrt(2), (u - v) / np.sqrt(2)  # askew to a box's ribbon
    period = rng.uniform(0.42, 0.56)
    wave = np.sin((across + 0.18 * along**2) * 2 * np.pi / period)  # bent, so that it looks round
    edge = 2 * np.pi / (period * thing.radius)  # one pixel, in units of the wave
    color = _STRIPES + rng.uniform(-14, 14, 3).astype(np.float32)
    return mix(color, _WHITE, smooth_step(wave, 1.2 * edge))


def _paint_details(color: np.ndarray, thing: Thing, layers: Iterable[_Layer]) -> np.ndarray:
    """Put layers over the colours, (SIZE, SIZE, 3), each in a dark rim that sets it off."""
    u, v = thing.local_grid()
    for strokes, top_color in layers:
        distance = thing.radius * np.minimum.reduce(
            [np.sqrt(_line_distance(u, v, start, end)) - width for start, end, width in strokes])
        color = color * (1 - 0.55 * smooth_step(1.3 - distance, 1.2))[..., None]
        color = mix(color, top_color, smooth_step(-distance, 1.2))
    return color


def draw_shadow(image: np.ndarray, thing: Thing) -> np.ndarray:
    """Darken (SIZE, SIZE, 3) where the thing keeps the light away: below and to the right."""
    shift = 0.22 * thing.radius
    moved = np.float32([[1, 0, 0.7 * shift], [0, 1, shift]])
    outline = np.clip(0.5 - thing.distance, 0, 1).astype(np.float32)
    shadow = cv2.warpAffine(outline, moved, outline.shape)
    shadow = cv2.GaussianBlur(shadow, (0, 0), 0.12 * thing.radius)
    return image * (1 - 0.5 * shadow)[..., None]


def draw_thing(image: np.ndarray, thing: Thing) -> np.ndarray:
    """Draw a thing, lit from the upper left, with its shadow, over (SIZE, SIZE, 3), RGB 0..255."""
    distance = thing.distance
    normals = _normals(thing, distance)
    diffuse = 0.42 + 0.72 * np.clip(normals @ _LIGHT, 0, 1)
    shine = np.clip(normals @ _HALFWAY, 0, 1)
    # A ball is polished: one large spot of light with an edge; the others have a faint sheen.
    highlight = smooth_step(shine - 0.95, 0.035) if thing.shape == 'ball' else 0.4 * shine**50
    color = mix(_paint(thing) * diffuse[..., None], _WHITE, highlight)
    return mix(draw_shadow(image, thing), color, np.clip(0.5 - distance, 0, 1))
