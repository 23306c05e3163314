"""Captions of scenes: every class that is in the picture, and none that is not."""

from collections import Counter

import numpy as np

from mmodise.datasets.shapes_world.classes import STUFF, THINGS
from mmodise.datasets.shapes_world.scene import Scene

_NUMBERS = {1: 'a', 2: 'two', 3: 'three', 4: 'four', 5: 'five'}
_TEMPLATES = (
    '{things} on the {ground}{patch} {where} the {backdrop}',
    '{where} the {backdrop} there is the {ground}{patch}, with {things} on it',
    'the {ground}{patch} and the {backdrop}, and between them {things}',
    'a picture of {things}, the {backdrop} and the {ground}{patch}',
    '{things}, lying on the {ground}{patch}, {where} the {backdrop}',
)

_THING_TEMPLATES = (
    '{things}', 'a photo of {things}.', '{things} on the {ground}',
    '{things} {where} the {backdrop}', '{things} on the {ground}, {where} the {backdrop}')
_LANDSCAPE_TEMPLATES = (
    'the {ground}{patch}, {where} the {backdrop}',
    'a picture of the {backdrop} and the {ground}{patch}',
    'a photo of {ground} and {backdrop}.', '{where} the {backdrop} there is the {ground}{patch}')
_TEXTURE_TEMPLATES = ('{ground}', 'a photo of {ground}.', 'nothing but the {ground}')


def write_captions(scene: Scene, rng: np.random.Generator, synonyms: float = 0.3) -> list[str]:
    """Describe a scene in several ways, one a template.

    Args:
        scene (Scene): What to describe.
        rng (np.random.Generator): Decides between names of a class and the order of things.
        synonyms (float): How often, in 0..1, a synonym stands for the display name of a class
            that has one.

    Returns:
        list[str]: Captions; each names every class in the scene, and no other.
    """
    return [_fill(template, scene, rng, synonyms) for template in _TEMPLATES]


def write_captions_of_little(scene: Scene, rng: np.random.Generator,
                             synonyms: float = 0.3) -> list[str]:
    """Describe a single thing, stuff without things, or a single texture; as ``write_captions``."""
    if scene.class_names[0] in THINGS:
        templates = _THING_TEMPLATES
    else:
        templates = _LANDSCAPE_TEMPLATES if len(scene.class_names) > 1 else _TEXTURE_TEMPLATES
    return [_fill(template, scene, rng, synonyms) for template in templates]


def write_background_captions(scene: Scene, rng: np.random.Generator,
                              synonyms: float = 0.3) -> list[str]:
    """Describe the stuff of a scene and none of its things; as ``write_captions``."""
    return [_fill(template, scene, rng, synonyms) for template in _LANDSCAPE_TEMPLATES[:2]]


def _fill(template: str, scene: Scene, rng: np.random.Generator, synonyms: float) -> str:
    def name(class_name: str) -> str:
        first, *others = (THINGS | STUFF)[class_name]
        return str(rng.choice(others)) if others and rng.random() < synonyms else first

    counts = list(Counter(c for c in scene.class_names if c in THINGS).items())
    phrases = [_count(name(counts[i][0]), counts[i][1]) for i in rng.permutation(len(counts))]
    return template.format(
        things=_join(phrases),
        ground=name(scene.ground),
        backdrop=name(scene.backdrop),
        patch=f' beside the {name(scene.patch)}' if scene.patch else '',
        where='under' if scene.backdrop == 'night sky' else 'in front of')


def plural(noun: str) -> str:
    """``'box' -> 'boxes'``."""
    return noun + ('es' if noun.endswith('x') else 's')


def _count(noun: str, count: int) -> str:
    """``'red box', 2 -> 'two red boxes'``."""
    return f'{_NUMBERS[count]} {plural(noun) if count > 1 else noun}'


def _join(phrases: list[str]) -> str:
    """``['a', 'b', 'c'] -> 'a, b and c'``."""
    return ' and '.join(filter(None, [', '.join(phrases[:-1]), *phrases[-1:]]))
