"""Results as other libraries have them."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image

from mmodise.apis import PanopticResult
from mmodise.vocabulary import Vocabulary

VOCABULARY = Vocabulary.from_string('cat; dog', 'sky')


@pytest.fixture
def result(build_result):
    return build_result(np.array([[1, 1, 0], [2, 3, 3]]), ['sky', 'dog', 'dog'], VOCABULARY,
                        scores=[0.5, 0.75, 0.25])


@pytest.fixture
def nothing():
    return PanopticResult(np.zeros((2, 3), np.int32), (), VOCABULARY)


def test_masks(result, nothing):
    assert result.masks.dtype == bool and result.masks[2].tolist() == [[0, 0, 0], [0, 1, 1]]
    assert nothing.masks.shape == (0, 2, 3)


def test_transformers_dictionary(result, nothing):
    found = result.to_transformers()
    assert found['segmentation'].dtype == torch.int32
    assert found['segmentation'].tolist() == [[1, 1, 0], [2, 3, 3]]
    assert found['segments_info'] == [
        dict(id=1, label_id=2, was_fused=True, score=0.5),
        dict(id=2, label_id=1, was_fused=False, score=0.75),
        dict(id=3, label_id=1, was_fused=False, score=0.25)]
    found['segmentation'][0] = 7
    assert result.segment_ids[0, 0] == 1, 'a copy'
    assert nothing.to_transformers()['segments_info'] == []


def test_pandas(result, nothing):
    pytest.importorskip('pandas')
    table = result.to_pandas()
    assert table['name'].tolist() == ['sky', 'dog', 'dog']
    assert table.groupby('name')['area'].sum().to_dict() == dict(sky=2, dog=3)
    assert len(nothing.to_pandas()) == 0 and list(nothing.to_pandas()) == list(table)


def test_supervision(result, nothing):
    supervision = pytest.importorskip('supervision')
    found = result.to_supervision()
    assert found.xyxy.tolist() == [[0, 0, 2, 1], [0, 1, 1, 2], [1, 1, 3, 2]]
    np.testing.assert_array_equal(found.mask, result.masks)
    assert found.class_id.tolist() == [2, 1, 1] and found.confidence.tolist() == [0.5, 0.75, 0.25]
    things = found[found.data['is_thing']]
    assert things['class_name'].tolist() == ['dog', 'dog'] and len(things) == 2
    drawn = supervision.MaskAnnotator().annotate(np.zeros((2, 3, 3), np.uint8), found)
    assert drawn[0, 0].any() and not drawn[0, 2].any()
    assert len(nothing.to_supervision()) == 0
    same = supervision.Detections.from_transformers(
        result.to_transformers(), dict(enumerate(VOCABULARY.class_names)))
    assert same['class_name'].tolist() == ['sky', 'dog', 'dog']
    np.testing.assert_array_equal(same.mask, found.mask)


@pytest.mark.parametrize(('method', 'package'), [
    ('to_supervision', 'supervision'), ('to_pandas', 'pandas')])
def test_what_is_not_installed_is_named(result, monkeypatch, method, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf'pip install "mmodise\[{package}\]"'):
        getattr(result, method)()


def test_a_picture_is_drawn_from_the_file(result, tmp_path, build_result):
    with pytest.raises(ValueError, match='knows neither its image nor a path'):
        result.plot()
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / 'a.png')
    numbers = np.ones((40, 60), int)
    by_path, by_array = (
        build_result(numbers, ['dog'], VOCABULARY, image, path).plot(min_side=80)
        for image, path in ((None, str(tmp_path / 'a.png')), (pixels, None)))
    np.testing.assert_array_equal(by_path, by_array)
    assert by_path.shape == (80, 120, 3)
