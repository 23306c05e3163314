"""The classes of the shapes world: four toys in four looks, on eight grounds and backdrops."""

from itertools import product

# A tuple holds the name that is displayed, and then its synonyms.
SHAPES = {
    'ball': ('ball', 'sphere'),
    'box': ('box', 'cube'),
    'star': ('star',),
    'ring': ('ring', 'hoop'),
}
ATTRIBUTES = {
    'red': ('red', 'crimson'),
    'blue': ('blue',),
    'yellow': ('yellow', 'golden'),
    'striped': ('striped', 'stripy'),
}
STUFF = {
    'grass': ('grass', 'lawn'),
    'sand': ('sand', 'beach'),
    'water': ('water', 'lake'),
    'snow': ('snow', 'snowfield'),
    'brick wall': ('brick wall', 'bricks'),
    'night sky': ('night sky', 'starry sky'),
    'wooden floor': ('wooden floor', 'planks'),
    'checkered carpet': ('checkered carpet', 'checkered rug'),
}

THINGS = {
    f'{attribute} {shape}': tuple(f'{a} {s}' for a, s in product(adjectives, nouns))
    for (shape, nouns), (attribute, adjectives) in product(SHAPES.items(), ATTRIBUTES.items())
}
"""All names of every thing class, by display name: ``'red ball' -> ('red ball', ...)``."""

NOVEL_THINGS = ('striped ball', 'red box', 'blue star', 'yellow ring')
"""Held out of training: every shape once, every attribute once."""
NOVEL_STUFF = ('snow', 'brick wall')
NOVEL_CLASSES = NOVEL_THINGS + NOVEL_STUFF

BASE_THINGS = tuple(name for name in THINGS if name not in NOVEL_THINGS)
BASE_STUFF = tuple(name for name in STUFF if name not in NOVEL_STUFF)

STUFF_COLORS = {
    'grass': (82, 142, 58),
    'sand': (222, 196, 142),
    'water': (38, 128, 160),
    'snow': (238, 243, 250),
    'brick wall': (158, 84, 66),
    'night sky': (26, 28, 72),
    'wooden floor': (166, 116, 70),
    'checkered carpet': (118, 40, 70),
}
"""Mean colour of each texture, RGB; what the palette shows and the textures start from."""

# One shade a shape, so that neighbours of the same attribute stay apart in a picture.
_SHADES = {
    'red': ((220, 40, 40), (178, 24, 30), (240, 90, 80), (200, 20, 80)),
    'blue': ((50, 90, 220), (28, 56, 160), (90, 140, 245), (30, 110, 190)),
    'yellow': ((245, 205, 40), (225, 175, 10), (250, 228, 100), (240, 190, 70)),
    'striped': ((60, 170, 90), (120, 70, 165), (60, 170, 165), (150, 150, 150)),
}


def palette(class_names: tuple[str, ...]) -> list[tuple[int, int, int]]:
    """Colours to show classes in: of a thing its attribute's, of stuff its texture's.

    Args:
        class_names (tuple[str]): Display names out of ``THINGS`` and ``STUFF``.

    Returns:
        list[tuple[int, int, int]]: RGB in 0..250, all different, one a name.
    """
    shapes = list(SHAPES)
    colors = dict(STUFF_COLORS)
    for name in THINGS:
        attribute, shape = name.split(' ')
        colors[name] = _SHADES[attribute][shapes.index(shape)]
    return [colors[name] for name in class_names]
