import itertools
import os
import subprocess
import sys
import unicodedata

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from mmodise.visualization import class_color
from mmodise.visualization.colors import _PALETTE
from mmodise.vocabulary import Vocabulary

# Machado, Oliveira and Fernandes, 2009, severity 1
SEEN_WITH = dict(
    all_cones=np.eye(3),
    deuteranopia=np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                           [-0.011820, 0.042940, 0.968881]]),
    protanopia=np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                         [-0.003882, -0.048116, 1.051998]]))


def nearest(colors, matrix):
    """The distance of the two colours that are most alike, CIEDE2000."""
    rgb = np.array(colors) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055)**2.4)
    seen = np.clip(linear @ matrix.T, 0, 1)
    lab = rgb2lab(np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen**(1 / 2.4) - 0.055))
    return min(deltaE_ciede2000(a, b) for a, b in itertools.combinations(lab, 2))


@pytest.mark.parametrize('eyes', SEEN_WITH)
def test_the_first_dozen_names_differ_for_everyone(eyes):
    names = Vocabulary.named('coco').class_names[:12]
    assert nearest([class_color(name) for name in names], SEEN_WITH[eyes]) > 10


@pytest.mark.parametrize('eyes', SEEN_WITH)
def test_no_two_colours_of_the_palette_look_the_same(eyes):
    colors = np.frombuffer(_PALETTE, np.uint8).reshape(-1, 3)
    assert len(colors) == 96 and nearest(colors, SEEN_WITH[eyes]) > 2


def test_a_name_has_one_colour_in_all_vocabularies():
    coco, ade = (Vocabulary.named(name).class_names for name in ('coco', 'ade20k'))
    assert coco.index('car') != ade.index('car')
    assert class_color('car') == class_color(' Car')
    accented = unicodedata.normalize('NFD', 'café')
    assert accented != 'café' and class_color(accented) == class_color('café')


def test_colours_are_the_same_in_every_process():
    names = ['person', 'red ball', 'unicorn 🦄', '']
    script = ('from mmodise.visualization import class_color\n'
              f'print([class_color(name) for name in {names}])')
    printed = subprocess.run(
        [sys.executable, '-c', script], env=dict(os.environ, PYTHONHASHSEED='7'), check=True,
        capture_output=True, text=True).stdout
    assert printed.splitlines()[-1] == str([class_color(name) for name in names])


def test_unknown_names_are_spread_over_the_palette():
    found = {class_color(f'toy number {i}') for i in range(500)}
    assert len(found) > 90
    assert all(0 <= channel <= 255 for color in found for channel in color)
