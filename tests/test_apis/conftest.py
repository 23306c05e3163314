"""Results that need no model."""

import math

import numpy as np
import pytest

from mmodise.apis import PanopticResult, Segment
from mmodise.apis.segment import measure_segments
from mmodise.datasets.shapes_world import STUFF, THINGS
from mmodise.datasets.shapes_world.scene import draw_scene
from mmodise.vocabulary import Vocabulary


def make_result(numbers, names, vocabulary, image=None, path=None, scores=None):
    """A result of a map with 1 to n, by the names of its segments."""
    labels = [vocabulary.class_names.index(name) for name in names]
    segments = tuple(
        Segment.of_class(place, label, vocabulary, score=score, area=area, box=box)
        for place, (label, score, area, box) in enumerate(zip(
            labels, scores or [math.nan] * len(names),
            *measure_segments(numbers, len(names)), strict=True), start=1))
    return PanopticResult(numbers.astype(np.int32), segments, vocabulary, image, path)


@pytest.fixture
def build_result():
    """Give :func:`make_result`."""
    return make_result


@pytest.fixture(scope='session')
def scene_result():
    """What is in a picture of the embedded data set, with scores; a corner is void."""
    scene = draw_scene(np.random.default_rng(5), tuple(THINGS), tuple(STUFF))
    numbers = scene.segment_map + 1
    numbers[:9, :20] = 0
    scores = [1 - 0.1 * place for place in range(len(scene.class_names))]
    return make_result(numbers, scene.class_names, Vocabulary.from_lists(THINGS, STUFF),
                       scene.image, scores=scores)
