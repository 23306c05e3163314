"""Scenes of the shapes world: which things on which stuff, and where."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mmodise.datasets.shapes_world.classes import STUFF, THINGS
from mmodise.datasets.shapes_world.stuff import SIZE, TEXTURES, grid, mix, noise, smooth_step
from mmodise.datasets.shapes_world.things import Thing, draw_thing

MIN_THINGS, MAX_THINGS = 2, 5
MIN_VISIBLE_SHARE = 0.6
MIN_THING_AREA = 150
MIN_STUFF_AREA = 400

_PLACEMENT_TRIES = 20
_BACKDROPS = ('night sky', 'brick wall', 'water', 'grass')
_GROUNDS = ('grass', 'sand', 'snow', 'water', 'wooden floor', 'checkered carpet')


@dataclass(frozen=True)
class Scene:
    """A drawn scene and all that is known of it.

    Args:
        image (np.ndarray): (SIZE, SIZE, 3) uint8, RGB.
        segment_map (np.ndarray): (SIZE, SIZE) int64, index of each pixel's segment in
            ``class_names``; every pixel belongs to one, and every segment has pixels.
        class_names (tuple[str]): Class of each segment; things first, then stuff.
        backdrop (str): Stuff class of the upper part.
        ground (str): Stuff class of the lower part, on which the things stand.
        patch (str | None): Stuff class of a patch within the ground, if there is one.
    """

    image: np.ndarray
    segment_map: np.ndarray
    class_names: tuple[str, ...]
    backdrop: str
    ground: str
    patch: str | None = None


@dataclass(frozen=True)
class _Layout:
    """Stuff regions: their classes, lower ones first, and how far each covers what is below it."""

    class_names: tuple[str, ...]
    coverages: tuple[np.ndarray, ...]  # one less than classes: the first one covers all
    horizon: float

    def owner_map(self) -> np.ndarray:
        """(SIZE, SIZE) int64, index of the region that each pixel shows."""
        owners = np.zeros((SIZE, SIZE), np.int64)
        for index, coverage in enumerate(self.coverages, start=1):
            owners[coverage >= 0.5] = index
        return owners


def draw_scene(rng: np.random.Generator,
               things: Sequence[str] = tuple(THINGS),
               stuff: Sequence[str] = tuple(STUFF),
               focus_thing: str | None = None,
               focus_stuff: str | None = None) -> Scene:
    """Draw a scene of two or three stuff regions and two to five things.

    Args:
        rng (np.random.Generator): The only source of randomness: equal states, equal scenes.
        things (Sequence[str]): Thing classes to choose from. Defaults to all.
        stuff (Sequence[str]): Stuff classes to choose from. Defaults to all.
        focus_thing (str, optional): A thing class that must be in the scene.
        focus_stuff (str, optional): A stuff class that must be in the scene.

    Returns:
        Scene: Each thing shows at least ``MIN_VISIBLE_SHARE`` of itself and ``MIN_THING_AREA``
        pixels, each stuff class at least ``MIN_STUFF_AREA`` pixels.

    Raises:
        ValueError: If ``stuff`` does not hold a backdrop and another class as a ground.
    """
    layout = _stuff_layout(rng, stuff, focus_stuff)
    return _scene(rng, layout, _place_things(rng, layout, things, focus_thing))


def _scene(rng: np.random.Generator, layout: _Layout, placed: Sequence[Thing]) -> Scene:
    segment_map = _segment_map(layout, placed)
    names = tuple(thing.class_name for thing in placed) + layout.class_names
    ground, backdrop, *patch = layout.class_names
    return Scene(_draw(rng, layout, placed), segment_map, names, backdrop, ground, *patch)


def draw_landscape(rng: np.random.Generator) -> Scene:
    """Draw two or three stuff regions and nothing on them."""
    return _scene(rng, _stuff_layout(rng, tuple(STUFF), None), ())


def draw_portrait(rng: np.random.Generator, class_name: str) -> Scene:
    """Draw a single thing, small or large and anywhere on any stuff, or a single texture.

    Args:
        rng (np.random.Generator): The only source of randomness.
        class_name (str): Out of ``THINGS`` or ``STUFF``.

    Returns:
        Scene: Of one thing on one or two stuff classes, or of the texture alone, which is then
        both ground and backdrop.
    """
    if class_name in STUFF:
        image = np.clip(np.rint(TEXTURES[class_name](rng)), 0, 255).astype(np.uint8)
        whole = np.zeros((SIZE, SIZE), np.int64)
        return Scene(image, whole, (class_name,), class_name, class_name)
    attribute, shape = class_name.split(' ')
    while True:
        layout = _stuff_layout(rng, tuple(STUFF), None)
        radius = np.exp(rng.uniform(np.log(18), np.log(60)))  # small ones are harder to learn
        x, y = rng.uniform(0.9 * radius, SIZE - 0.9 * radius, size=2)
        angle = _angle(rng, shape)
        thing = Thing(shape, attribute, x, y, radius, angle, seed=int(rng.integers(2**31)))
        if _all_visible(layout, [thing]):
            return _scene(rng, layout, [thing])


def _stuff_layout(rng: np.random.Generator, stuff: Sequence[str],
                  focus: str | None) -> _Layout:
    """Choose ground, backdrop and sometimes a patch of different classes, and their borders."""
    choices = [(ground, backdrop) for ground in _GROUNDS for backdrop in _BACKDROPS
               if ground != backdrop and ground in stuff and backdrop in stuff
               and (focus is None or focus in (ground, backdrop))]
    if not choices:
        raise ValueError(
            f'No scene can be made of the stuff classes {tuple(stuff)} with focus {focus!r}: '
            f'expected one of {_BACKDROPS} as backdrop and another of {_GROUNDS} as ground.')
    ground, backdrop = choices[rng.integers(len(choices))]
    horizon = rng.uniform(0.3, 0.52) * SIZE
    coverages = [_above_horizon(rng, horizon)]
    patches = [name for name in _GROUNDS if name in stuff and name not in (ground, backdrop)]
    if not patches or rng.random() > 0.4:
        return _Layout((ground, backdrop), tuple(coverages), horizon)
    coverages.append(_patch(rng, horizon) * (1 - coverages[0]))
    return _Layout((ground, backdrop, patches[rng.integers(len(patches))]), tuple(coverages),
                   horizon)


def _above_horizon(rng: np.random.Generator, horizon: float) -> np.ndarray:
    """Coverage in 0..1 of what lies above a wavy line, (SIZE, SIZE)."""
    x, y = grid()
    phase, length = rng.uniform(0, 2 * np.pi), rng.uniform(60, 120)
    waves = rng.uniform(1, 6) * np.sin(x * 2 * np.pi / length + phase)
    slope = rng.uniform(-0.12, 0.12) * (x - SIZE / 2)
    return smooth_step(horizon + slope + waves + noise(rng, 12) * 1.5 - y, 1.5)


def _patch(rng: np.random.Generator, horizon: float) -> np.ndarray:
    """Coverage in 0..1 of a wavy ellipse in the ground, (SIZE, SIZE)."""
    x, y = grid()
    center_x, center_y = rng.uniform(20, SIZE - 20), rng.uniform(horizon + 25, SIZE - 12)
    radius_x, radius_y = rng.uniform(28, 42), rng.uniform(15, 24)
    distance = np.hypot((x - center_x) / radius_x, (y - center_y) / radius_y) - 1
    return smooth_step(noise(rng, 18) * 1.5 - distance * radius_y, 1.5)


def _place_things(rng: np.random.Generator, layout: _Layout, class_names: Sequence[str],
                  focus: str | None) -> tuple[Thing, ...]:
    """Two to five things that leave each other and the stuff visible, the nearest one last."""
    count = rng.integers(MIN_THINGS, MAX_THINGS + 1)
    wanted = [class_names[i] for i in rng.integers(len(class_names), size=count)]
    if focus is not None:
        wanted[0] = focus
    placed = ()
    for class_name in wanted:
        for candidate in _candidates(rng, class_name, layout.horizon):
            together = tuple(sorted((*placed, candidate), key=lambda thing: thing.y + thing.radius))
            if _all_visible(layout, together):
                placed = together
                break
    return placed


def _candidates(rng: np.random.Generator, class_name: str, horizon: float) -> Iterator[Thing]:
    """Random placements of a thing with its foot below the horizon, smaller ones later."""
    attribute, shape = class_name.split(' ')
    largest = 31.0
    for _ in range(_PLACEMENT_TRIES):
        radius = rng.uniform(19, largest)
        x = rng.uniform(radius * 0.9, SIZE - radius * 0.9)
        y = rng.uniform(max(horizon - 0.4 * radius, radius), SIZE - radius)
        angle = _angle(rng, shape)
        yield Thing(shape, attribute, x, y, radius, angle, seed=int(rng.integers(2**31)))
        largest = max(20.0, largest - 1)


def _angle(rng: np.random.Generator, shape: str) -> float:
    """A rotation in radians; boxes stand nearly upright."""
    return rng.uniform(-0.6, 0.6) if shape == 'box' else rng.uniform(-np.pi, np.pi)


def _segment_map(layout: _Layout, placed: Sequence[Thing]) -> np.ndarray:
    """(SIZE, SIZE) int64: things by their index, then stuff regions by theirs."""
    segment_map = layout.owner_map() + len(placed)
    for index, thing in enumerate(placed):
        segment_map[thing.distance <= 0] = index
    return segment_map


def _all_visible(layout: _Layout, placed: Sequence[Thing]) -> bool:
    """Whether every thing and every stuff region shows enough of itself."""
    segment_map = _segment_map(layout, placed)
    areas = np.bincount(segment_map.ravel(), minlength=len(placed) + len(layout.class_names))
    whole = [np.count_nonzero(thing.distance <= 0) for thing in placed]
    return (all(area >= max(MIN_THING_AREA, MIN_VISIBLE_SHARE * total)
                for area, total in zip(areas, whole, strict=False))
            and areas[len(placed):].min() >= MIN_STUFF_AREA)


def _draw(rng: np.random.Generator, layout: _Layout, placed: Sequence[Thing]) -> np.ndarray:
    """The picture, (SIZE, SIZE, 3) uint8, RGB."""
    image = TEXTURES[layout.class_names[0]](rng)
    for class_name, coverage in zip(layout.class_names[1:], layout.coverages, strict=True):
        image = mix(image, TEXTURES[class_name](rng), coverage)
    image = _shade_ground(image, layout)
    for thing in placed:
        image = draw_thing(image, thing)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _shade_ground(image: np.ndarray, layout: _Layout) -> np.ndarray:
    """Darken the ground a little towards the horizon and next to borders, for depth."""
    _, y = grid()
    depth = np.clip((y - layout.horizon) / (SIZE - layout.horizon), 0, 1)
    above = layout.coverages[0]
    contact = cv2.GaussianBlur(above, (0, 0), 4) * (1 - above)
    return image * (above + (1 - above) * (0.9 + 0.12 * depth) - 0.45 * contact)[..., None]
