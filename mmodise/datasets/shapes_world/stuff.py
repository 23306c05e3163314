"""Textures of the stuff classes: each a full image that a region shows a part of."""

from collections.abc import Callable

import cv2
import numpy as np

from mmodise.datasets.shapes_world.classes import STUFF_COLORS

SIZE = 128
"""Side of every image in pixels."""

Texture = Callable[[np.random.Generator], np.ndarray]


def grid() -> tuple[np.ndarray, np.ndarray]:
    """Pixel centres: x and y, each (SIZE, SIZE), in pixels."""
    axis = np.arange(SIZE, dtype=np.float32) + 0.5
    return np.meshgrid(axis, axis)


def noise(rng: np.random.Generator, width: float, height: float | None = None) -> np.ndarray:
    """Smooth random field, (SIZE, SIZE), about -1..1, with cells of width x height pixels."""
    cells_x, cells_y = (int(np.ceil(SIZE / cell)) + 1 for cell in (width, height or width))
    values = rng.uniform(-1, 1, (cells_y, cells_x)).astype(np.float32)
    return cv2.resize(values, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)


def smooth_step(value: np.ndarray, width: float) -> np.ndarray:
    """From 0 to 1 around ``value = 0``, within ``width``: an edge without jaggies."""
    t = np.clip(value / width + 0.5, 0, 1)
    return t * t * (3 - 2 * t)


def mix(first: np.ndarray, second: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Blend two colours or images: ``weight`` (SIZE, SIZE) is the share of the second."""
    return first + (second - first) * weight[..., None]


def _plain(name: str, light: np.ndarray) -> np.ndarray:
    """The mean colour of a class, lit by (SIZE, SIZE) factors around 1; (SIZE, SIZE, 3)."""
    return np.float32(STUFF_COLORS[name]) * light[..., None]


def _dots(rng: np.random.Generator, count: int, radius: float) -> np.ndarray:
    """Soft dots at random places, (SIZE, SIZE) in 0..1."""
    dots = np.zeros((SIZE, SIZE), np.float32)
    dots[tuple(rng.integers(0, SIZE, (2, count)))] = rng.uniform(0.4, 1, count)
    blurred = cv2.GaussianBlur(dots, (0, 0), radius)
    return np.clip(blurred * (2 * np.pi * radius**2), 0, 1)


def grass(rng: np.random.Generator) -> np.ndarray:
    """Blades of grass in light and shade, with a few flowers."""
    blades = noise(rng, 1.5, 7) * 0.22 + noise(rng, 2.5, 12) * 0.14
    image = _plain('grass', 1 + blades + noise(rng, 40) * 0.12)
    image = mix(image, np.float32((150, 180, 70)), np.clip(noise(rng, 25), 0, 1) * 0.35)
    return mix(image, np.float32((250, 245, 225)), _dots(rng, 14, 0.8))


def sand(rng: np.random.Generator) -> np.ndarray:
    """Fine grain over wind ripples."""
    _, y = grid()
    ripples = np.sin((y + noise(rng, 30) * 9) * 2 * np.pi / 11)
    return _plain('sand', 1 + ripples * 0.05 + noise(rng, 1) * 0.07 + noise(rng, 50) * 0.05)


def water(rng: np.random.Generator) -> np.ndarray:
    """Waves whose crests catch the light."""
    _, y = grid()
    waves = np.sin((y + noise(rng, 22, 10) * 7) * 2 * np.pi / rng.uniform(9, 12))
    image = _plain('water', 1 + waves * 0.14 + noise(rng, 50, 20) * 0.15)
    crests = smooth_step(waves * 0.6 + noise(rng, 12, 3) * 0.6 - 0.75, 0.5)
    return mix(image, np.float32((205, 240, 245)), crests * 0.7)


def snow(rng: np.random.Generator) -> np.ndarray:
    """Soft bluish drifts with glitter."""
    drifts = smooth_step(noise(rng, 45, 22), 1.4)
    image = mix(_plain('snow', np.ones((SIZE, SIZE), np.float32)),
                np.float32((204, 218, 242)), drifts * 0.7)
    image = image * (1 + noise(rng, 1) * 0.02)[..., None]
    return mix(image, np.float32((255, 255, 255)), _dots(rng, 60, 0.6))


def _tiles(rng: np.random.Generator, width: float, height: float,
           shift: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows of tiles, each row shifted by ``shift`` widths against the one above.

    Returns:
        tuple: A random tone of each tile in -1..1, and the distance to the tile's edge in pixels,
        both (SIZE, SIZE).
    """
    x, y = grid()
    y = y + rng.uniform(0, height)
    row = (y // height).astype(int)
    x = x + rng.uniform(0, width) + row * shift * width
    column = (x // width).astype(int) % 64
    tones = rng.uniform(-1, 1, (64, 64)).astype(np.float32)
    edge_x = width / 2 - np.abs(x % width - width / 2)
    edge_y = height / 2 - np.abs(y % height - height / 2)
    return tones[row % 64, column], np.minimum(edge_x, edge_y)


def brick_wall(rng: np.random.Generator) -> np.ndarray:
    """Bricks of many tones in light mortar."""
    tone, edge = _tiles(rng, 22, 10, shift=0.5)
    bevel = np.clip(edge / 3, 0, 1) * 0.12
    image = _plain('brick wall', 0.92 + tone * 0.16 + bevel + noise(rng, 1.5) * 0.1)
    mortar = np.float32((196, 188, 178)) * (1 + noise(rng, 1.5) * 0.06)[..., None]
    return mix(mortar, image, smooth_step(edge - 1.1, 1.0))


def night_sky(rng: np.random.Generator) -> np.ndarray:
    """From deep blue to violet, with mist and stars."""
    _, y = grid()
    image = _plain('night sky', 0.75 + noise(rng, 60) * 0.2)
    image = mix(image, np.float32((92, 56, 122)), np.clip(y / SIZE, 0, 1) * 0.7)
    mist = np.clip(noise(rng, 40, 25) + noise(rng, 14) * 0.4, 0, 1)
    image = mix(image, np.float32((112, 92, 170)), mist * 0.3)
    stars = np.maximum(_dots(rng, 70, 0.5) * 0.9, _dots(rng, 9, 0.95))
    return mix(image, np.float32((255, 250, 225)), stars)


def wooden_floor(rng: np.random.Generator) -> np.ndarray:
    """Planks of several tones with grain along them."""
    tone, edge = _tiles(rng, 88, 13, shift=0.37)
    _, y = grid()
    rings = np.sin((y + noise(rng, 40, 8) * 5 + tone * 40) * 2 * np.pi / 5)
    grain = noise(rng, 16, 1) * 0.08 + rings * 0.04
    image = _plain('wooden floor', 1 + tone * 0.16 + grain)
    return mix(np.float32((70, 44, 26)), image, smooth_step(edge - 0.5, 1.2))


def checkered_carpet(rng: np.random.Generator) -> np.ndarray:
    """Woven checks, turned a little."""
    x, y = grid()
    angle, side = rng.uniform(-0.5, 0.5), rng.uniform(14, 20)
    u = (x * np.cos(angle) + y * np.sin(angle)) / side
    v = (y * np.cos(angle) - x * np.sin(angle)) / side
    checks = smooth_step(np.sin(u * np.pi) * np.sin(v * np.pi), 0.25)
    weave = 1 + noise(rng, 1) * 0.08 + np.sin(u * np.pi * 9) * np.sin(v * np.pi * 9) * 0.08
    dark = _plain('checkered carpet', np.ones((SIZE, SIZE), np.float32))
    return mix(dark, np.float32((236, 216, 188)), checks) * weave[..., None]


TEXTURES: dict[str, Texture] = {
    'grass': grass,
    'sand': sand,
    'water': water,
    'snow': snow,
    'brick wall': brick_wall,
    'night sky': night_sky,
    'wooden floor': wooden_floor,
    'checkered carpet': checkered_carpet,
}
"""By class name: a function that draws (SIZE, SIZE, 3) float32, RGB, about 0..255."""
