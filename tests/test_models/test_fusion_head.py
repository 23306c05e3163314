"""Panoptic, instance and semantic results of small maps, worked out by hand."""

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict

from mmodise.models import OpenVocabularyFusionHead
from mmodise.vocabulary import Vocabulary

ON, OFF = 6.0, -6.0


def head(**test_cfg):
    return OpenVocabularyFusionHead(test_cfg=ConfigDict(
        panoptic_on=True, instance_on=True, semantic_on=True, object_mask_thr=0.0, iou_thr=0.8,
        filter_low_score=True, **test_cfg))


def sample(size=(4, 8), ori=None):
    return DetDataSample(metainfo=dict(
        batch_input_shape=(4, 8), img_shape=size, ori_shape=ori or size))


def masks(*columns):
    """Mask logits (1, Q, 4, 8), each on between two columns."""
    logits = torch.full((1, len(columns), 4, 8), OFF)
    for query, (start, end) in enumerate(columns):
        logits[0, query, :, start:end] = ON
    return logits


def scores(*rows):
    return torch.tensor(rows).log()


CAT_SKY = Vocabulary.from_string('cat', 'sky')


def test_things_get_instances_and_stuff_is_merged():
    logits = [scores([0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.9, 0.05, 0.05], [0.05, 0.9, 0.05])]
    result, = head().predict(
        logits, masks((0, 2), (2, 4), (4, 6), (6, 8)), [sample()], [CAT_SKY])
    panoptic = result['pan_results']
    assert panoptic.sem_seg[0, 0].tolist() == [1000, 1000, 1, 1, 2000, 2000, 1, 1]
    assert panoptic.ignore_index == 2
    assert panoptic.label_names == ['cat', 'sky']
    assert result['sem_results'].sem_seg[0, 0].tolist() == [0, 0, 1, 1, 0, 0, 1, 1]


def test_no_object_and_swallowed_segments_are_void():
    logits = [scores([0.1, 0.1, 0.8], [0.9, 0.05, 0.05], [0.05, 0.6, 0.35])]
    # the third query loses 3 of its 5 columns to the second: 40 % left, under 80 %
    result, = head().predict(logits, masks((0, 2), (2, 6), (3, 8)), [sample()], [CAT_SKY])
    assert result['pan_results'].sem_seg[0, 0].tolist() == [2, 2, 1000, 1000, 1000, 1000, 2, 2]


def test_instances_are_things_scored_by_class_and_mask():
    logits = [scores([0.6, 0.3, 0.1])]
    result, = head().predict(logits, masks((2, 5)), [sample()], [CAT_SKY])
    instances = result['ins_results']
    assert instances.labels.tolist() == [0]
    inside = torch.tensor(ON).sigmoid().item()
    assert instances.scores.tolist() == pytest.approx([0.6 * inside], 1e-5)
    assert instances.bboxes.tolist() == [[2, 0, 5, 4]]
    assert instances.masks.sum() == 12


def test_padding_is_cut_and_the_original_size_restored():
    logits = [scores([0.9, 0.05, 0.05], [0.05, 0.9, 0.05])]
    result, = head().predict(
        logits, masks((0, 2), (2, 8)), [sample(size=(4, 4), ori=(8, 8))], [CAT_SKY])
    row = result['pan_results'].sem_seg[0, 0].tolist()
    assert row == [1000] * 4 + [1] * 4


def test_each_image_has_its_own_vocabulary_and_all_one_void():
    dog = Vocabulary.from_string('dog')
    logits = [scores([0.9, 0.05, 0.05]), scores([0.9, 0.1])]
    first, second = head().predict(
        logits, masks((0, 4)).repeat(2, 1, 1, 1), [sample(), sample()], [CAT_SKY, dog])
    for result in (first, second):
        assert result['pan_results'].sem_seg[0, 0].tolist() == [1000] * 4 + [2] * 4
        assert result['pan_results'].ignore_index == 2
    assert second['pan_results'].label_names == ['dog']


def test_no_segment_has_the_id_that_a_png_writes_for_void():
    vocabulary = Vocabulary.from_texts(None, 'sky; grass')
    logits = [scores([0.9, 0.05, 0.05], [0.05, 0.9, 0.05])]
    result, = head().predict(logits, masks((0, 4), (4, 8)), [sample()], [vocabulary])
    assert result['pan_results'].sem_seg[0, 0].tolist() == [1000] * 4 + [1] * 4


def test_more_classes_than_panoptic_ids():
    vocabulary = Vocabulary.from_lists([f'class {i}' for i in range(1200)], ['sky'])
    logits = torch.zeros(2, 1202)
    logits[0, 1150] = logits[1, 1200] = 20
    args = [logits], masks((0, 4), (4, 8)), [sample()], [vocabulary]
    message = r'has 1201 classes.* holds 999 classes at most\. Split .*panoptic_on=False'
    with pytest.raises(ValueError, match=message):
        head().predict(*args)
    others = head()
    others.test_cfg.panoptic_on = False
    result, = others.predict(*args)
    assert result.keys() == {'ins_results', 'sem_results'}
    assert result['sem_results'].sem_seg[0, 0].tolist() == [1150] * 4 + [1200] * 4
    assert result['ins_results'].labels[result['ins_results'].scores.argmax()] == 1150


def test_as_many_classes_as_panoptic_ids():
    vocabulary = Vocabulary.from_lists([f'class {i}' for i in range(998)], ['sky'])
    logits = torch.zeros(2, 1000)
    logits[0, 998] = logits[1, 997] = 20
    result, = head().predict([logits], masks((0, 4), (4, 6)), [sample()], [vocabulary])
    assert result['pan_results'].sem_seg[0, 0].tolist() == [998] * 4 + [1997] * 2 + [999] * 2


def test_a_misspelt_setting_is_refused():
    with pytest.raises(ValueError, match=r"test_cfg: 'max_per_img' .* mean 'max_per_image'"):
        head(max_per_img=10)


def test_semantic_scores_at_the_inputs_size_are_resized():
    """A pixel between two classes: the mean of their scores, not the scores of a mean mask."""
    logits = torch.tensor([[1.0, -1.0], [-20.0, 6.0]]).view(1, 2, 1, 2)  # one is sure, one is not
    classes = [scores([0.8, 0.1, 0.1], [0.1, 0.8, 0.1])]
    meta = DetDataSample(metainfo=dict(
        batch_input_shape=(1, 2), img_shape=(1, 2), ori_shape=(1, 20)))
    prob = classes[0].softmax(-1)[:, :-1]
    at_input = torch.einsum('qk,qhw->khw', prob, logits[0].sigmoid())
    expected = torch.nn.functional.interpolate(
        at_input[None], (1, 20), mode='bilinear')[0].argmax(0)
    fusion = head(semantic_at_input=True, max_result_bytes=64)  # a class at a time
    result, = fusion.predict(classes, logits, [meta], [CAT_SKY])
    assert result['sem_results'].sem_seg[0].tolist() == expected.tolist()
    other, = head().predict(classes, logits, [meta], [CAT_SKY])
    assert other['sem_results'].sem_seg[0].tolist() != expected.tolist()
    small, = fusion.predict(classes, logits, [meta], [CAT_SKY], rescale=False)
    assert small['sem_results'].sem_seg.shape == (1, 1, 2)
