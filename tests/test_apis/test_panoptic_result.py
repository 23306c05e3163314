import json

import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from PIL import Image

from mmodise.apis import PanopticResult
from mmodise.vocabulary import Vocabulary

VOCABULARY = Vocabulary.from_string('cat, kitten; dog', 'sky')
# two dogs, a piece of sky, and void as another image of the batch with 7 classes has it
SEGMENT_MAP = np.array([[2, 2, 2, 7], [1001, 7, 2001, 2001], [1001, 7, 2001, 7]])


def make_result(segment_map=SEGMENT_MAP, vocabulary=VOCABULARY):
    panoptic = PixelData(sem_seg=torch.from_numpy(segment_map)[None])
    return PanopticResult.from_panoptic_seg(panoptic, vocabulary)


def test_segments_are_described_as_in_coco():
    assert make_result().segments_info == [
        dict(id=2, category_id=3, isthing=0, area=3, bbox=[0, 0, 3, 1], iscrowd=0),
        dict(id=1001, category_id=2, isthing=1, area=2, bbox=[0, 1, 1, 2], iscrowd=0),
        dict(id=2001, category_id=2, isthing=1, area=3, bbox=[2, 1, 2, 2], iscrowd=0),
    ]


def test_void_is_zero():
    np.testing.assert_array_equal(
        make_result().segment_ids, [[2, 2, 2, 0], [1001, 0, 2001, 2001], [1001, 0, 2001, 0]])


def test_an_image_may_have_no_segment():
    result = make_result(np.full((2, 2), 3))
    assert result.segments_info == [] and not result.segment_ids.any()


def test_the_class_of_a_segment_has_its_displayed_name():
    result = make_result(np.array([[1000, 2]]))
    assert [result.class_name(segment) for segment in result.segments_info] == ['sky', 'cat']


def test_files_are_those_of_coco(tmp_path):
    result = make_result()
    result.save(tmp_path / 'a_panoptic.png', tmp_path / 'a.json', 'photos/a.jpg')
    content = json.loads((tmp_path / 'a.json').read_text())
    assert content['images'] == [dict(id=1, file_name='a.jpg', height=3, width=4)]
    assert content['categories'] == [
        dict(id=1, name='cat', isthing=1), dict(id=2, name='dog', isthing=1),
        dict(id=3, name='sky', isthing=0)]
    annotation, = content['annotations']
    assert annotation == dict(
        image_id=1, file_name='a_panoptic.png', segments_info=result.segments_info)
    png = np.asarray(Image.open(tmp_path / 'a_panoptic.png')).astype(int)
    # 1001 = 233 + 3 x 256, 2001 = 209 + 7 x 256
    assert png[1, 0].tolist() == [233, 3, 0] and png[1, 2].tolist() == [209, 7, 0]
    np.testing.assert_array_equal(png @ [1, 256, 65536], result.segment_ids)


@pytest.mark.parametrize(('stuff', 'ids'), [('sky', [1000]), ('sky; sea', [1, 1000])])
def test_a_vocabulary_of_stuff_alone(stuff, ids):
    # the fusion head writes 1000 for the first class there, as 0 is void in a PNG
    result = make_result(np.array([ids]), Vocabulary.from_string('', stuff))
    assert [segment['category_id'] for segment in result.segments_info] == (
        [1] if len(ids) == 1 else [2, 1])
    assert not any(segment['isthing'] for segment in result.segments_info)
