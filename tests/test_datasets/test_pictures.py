"""Captioned pictures that the frozen models learn from."""

from collections import Counter
from functools import partial

import numpy as np
import pytest

from mmodise.datasets.shapes_world import STUFF, THINGS, Scene, draw_picture, draw_portrait
from mmodise.datasets.shapes_world.captions import (
    plural,
    write_background_captions,
    write_captions_of_little,
)


def test_equal_seeds_and_indices_give_equal_pictures():
    first, again, other = draw_picture(0, 3), draw_picture(0, 3), draw_picture(1, 3)
    assert np.array_equal(first.image, again.image) and first.captions == again.captions
    assert not np.array_equal(first.image, other.image)


@pytest.mark.parametrize('name', ['red ball', 'striped star', 'blue ring', 'yellow box'])
def test_portrait_shows_one_thing_small_or_large(name):
    areas = []
    for seed in range(20):
        scene = draw_portrait(np.random.default_rng(seed), name)
        assert scene.class_names[0] == name
        assert set(scene.class_names[1:]) <= set(STUFF)
        areas.append(np.count_nonzero(scene.segment_map == 0))
    assert min(areas) < 1500 and max(areas) > 4000


def test_portrait_of_a_texture_is_nothing_else():
    scene = draw_portrait(np.random.default_rng(0), 'snow')
    assert scene.class_names == ('snow', ) and not scene.segment_map.any()
    assert scene.image.mean() > 220


@pytest.mark.parametrize('name', ['yellow box', 'red ring', 'brick wall'])
def test_captions_of_a_portrait_name_the_class(name):
    names, seen = (THINGS | STUFF)[name], set()
    for seed in range(30):
        rng = np.random.default_rng(seed)
        for caption in write_captions_of_little(draw_portrait(rng, name), rng):
            found = [n for n in names if n in caption]
            assert found, caption
            seen.update(found)
    assert seen == set(names)  # synonyms take part


def test_captions_read_well():
    rng = np.random.default_rng(1)
    scene = Scene(None, None, ('blue star', 'sand', 'night sky'), 'night sky', 'sand')
    assert write_captions_of_little(scene, rng, synonyms=0) == [
        'a blue star', 'a photo of a blue star.', 'a blue star on the sand',
        'a blue star under the night sky', 'a blue star on the sand, under the night sky']
    assert write_background_captions(scene, rng, synonyms=0) == [
        'the sand, under the night sky', 'a picture of the night sky and the sand']


def test_some_captions_of_a_scene_leave_the_things_out():
    picture = next(p for p in map(partial(draw_picture, 0), range(99)) if len(p.class_names) > 4)
    things = [name for c in picture.class_names if c in THINGS for name in THINGS[c]]
    silent = [not any(plural(n) in c or n in c for n in things) for c in picture.captions]
    assert silent == [False] * 5 + [True] * 2


def test_most_pictures_show_little_and_every_class_has_its_turn():
    pictures = [draw_picture(0, index) for index in range(200)]
    things = [sum(name in THINGS for name in p.class_names) for p in pictures]
    assert 0.15 < np.mean(np.equal(things, 0)) < 0.35
    assert 0.25 < np.mean(np.equal(things, 1)) < 0.5
    counts = Counter(name for p in pictures for name in p.class_names)
    assert set(counts) == {*THINGS, *STUFF}
    assert min(counts.values()) >= 5


@pytest.mark.parametrize(('noun', 'nouns'), [('red box', 'red boxes'), ('hoop', 'hoops')])
def test_plural(noun, nouns):
    assert plural(noun) == nouns
