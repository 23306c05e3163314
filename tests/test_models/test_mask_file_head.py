"""Masks of files on their way through a pipeline, and what is made of them."""

import json

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict

from mmodise.models import MaskFileHead
from mmodise.models.heads import check_queries
from mmodise.models.results.full_size_masks import FullSizeMasks

VOCABULARY = dict(thing_classes=('ball', 'box'), stuff_classes=('sand', ))
SHAPE = (24, 40)


@pytest.fixture
def masks():
    found = np.zeros((2, *SHAPE), bool)
    found[0, 2:11, 3:20] = found[1, 8:, 16:] = True
    return found


@pytest.fixture
def build(tmp_path):
    """Give a function that makes a head of masks, and scores if there are any."""

    def build(masks, scores=None, **settings):
        content = {'1.jpg': masks} | ({} if scores is None else {'1.jpg:scores': scores})
        np.savez(tmp_path / 'm.npz', **content)
        return MaskFileHead(
            str(tmp_path / 'm.npz'), VOCABULARY, **dict(overlaps='score') | settings)

    return build


def sample_of(image=SHAPE, padded=(64, 64), **more):
    return DetDataSample(metainfo=dict(
        img_path='1.jpg', ori_shape=SHAPE, img_shape=image, batch_input_shape=padded, **more))


def find(head, sample):
    return head.find((torch.zeros(1, 3, *sample.batch_input_shape), ), [sample])


def test_at_their_own_size_they_come_back_exactly(build, masks):
    sample = sample_of()
    found = find(build(masks), sample)
    assert found.objectness is None and found.masks[0].shape == (2, 64, 64)
    full_size = FullSizeMasks(found.masks[0], sample.metainfo)
    back = full_size.rows(slice(0, 24), torch.arange(2)) > 0
    assert torch.equal(back, torch.from_numpy(masks))


@pytest.mark.parametrize('direction', ['horizontal', 'vertical', 'diagonal'])
def test_resized_and_flipped_as_the_picture(build, masks, direction):
    sample = sample_of((48, 80), (64, 128), scale_factor=(2.0, 2.0), flip=True,
                       flip_direction=direction)
    logits, = find(build(masks), sample).masks
    axes = dict(horizontal=(2, ), vertical=(1, ), diagonal=(1, 2))[direction]
    expected = np.flip(masks.repeat(2, 1).repeat(2, 2), axes)
    assert np.array_equal(logits[:, :48, :80].numpy() > 0, expected)
    assert not (logits[:, 48:] > 0).any() and not (logits[:, :, 80:] > 0).any()


def test_made_smaller_masks_keep_their_share(build):
    stripes = np.zeros((1, *SHAPE), bool)
    stripes[0, ::4] = True  # every fourth row
    logits, = find(build(stripes), sample_of((6, 10))).masks
    inside = logits[0, 1:5, :10]
    assert (inside < 0).all() and (inside > -10).all()  # a quarter, not none and not all


def test_scores_are_objectness(build, masks):
    scores = np.array([0.25, 0.75])
    assert find(build(masks, scores), sample_of()).objectness[0].tolist() == [0.25, 0.75]
    assert find(build(masks, scores, use_scores=False), sample_of()).objectness is None


@pytest.mark.parametrize(('settings', 'front'), [
    (dict(), 0), (dict(overlaps='smaller'), 0), (dict(overlaps='score'), None)])
def test_a_smaller_mask_lies_in_front(build, masks, settings, front):
    """Where there are no scores; the second mask, of 384 pixels, loses those of the first, 153."""
    assert masks.sum((1, 2)).tolist() == [153, 384] and (masks[0] & masks[1]).sum() == 12
    found = find(build(masks, **dict(overlaps=None) | settings), sample_of())
    expected = masks if front is None else np.stack([masks[0], masks[1] & ~masks[0]])
    assert np.array_equal(found.masks[0][:, :24, :40].numpy() > 0, expected)
    with pytest.raises(ValueError, match='overlaps'):
        build(masks, overlaps='large')


def test_scores_tell_who_is_in_front(build, masks):
    scores = np.array([0.25, 0.75])
    found = find(build(masks, scores, overlaps=None), sample_of())
    assert (found.masks[0] > 0).sum() == masks.sum()
    found = find(build(masks, scores, overlaps=None, use_scores=False), sample_of())
    assert (found.masks[0] > 0).sum() == masks.sum() - 12


def test_a_mask_without_a_pixel_is_left_out_and_told(build, masks, log):
    masks[0] = False
    found = find(build(masks, np.array([0.25, 0.75])), sample_of())
    assert len(found.masks[0]) == 1 and found.objectness[0].tolist() == [0.75]
    assert '1 of 2 masks have no pixel' in log.text


def test_what_cannot_be_placed(build, masks):
    head = build(masks)
    with pytest.raises(ValueError, match=r'40 x 24 .* the pipeline made 40 x 20\.'):
        find(head, sample_of((20, 40), scale_factor=(1.0, 1.0)))
    nameless = sample_of()
    del nameless.img_path
    with pytest.raises(ValueError, match='belong to files'):
        find(head, nameless)
    other = sample_of(SHAPE[::-1])
    other.set_metainfo(dict(ori_shape=SHAPE[::-1]))
    with pytest.raises(ValueError, match=r'24 x 40 pixels, its masks in .* 40 x 24'):
        find(head, other)


def test_it_is_not_trained(build, masks):
    with pytest.raises(RuntimeError, match='not trained'):
        build(masks).loss((), [])


@pytest.fixture
def model(tmp_path, clip_cfg):
    """A model over a file with a picture with two overlapping masks, and one with none."""
    a, b = np.zeros((2, 64, 64), bool)
    a[:40], b[30:] = True, True
    np.savez(tmp_path / 'm.npz', **{
        '1.jpg': np.stack([a, b]), '1.jpg:scores': np.array([0.75, 1.0]),
        '2.jpg': np.zeros((0, 64, 64), bool)})
    test_cfg = dict(object_mask_thr=0.0, iou_thr=0.5, filter_low_score=True, instance_on=True,
                    semantic_on=True)
    return MODELS.build(ConfigDict(
        type='ODISE', data_preprocessor=dict(type='DetDataPreprocessor'),
        backbone=dict(type='PixelBackbone'),
        panoptic_head=dict(
            type='MaskFileHead', file=str(tmp_path / 'm.npz'), vocabulary=VOCABULARY),
        panoptic_fusion_head=dict(type='OpenVocabularyFusionHead'),
        classifier=dict(type='CLIPClassifier', clip=clip_cfg), test_cfg=test_cfg)).eval()


def test_there_are_no_queries_to_leave_out():
    with pytest.raises(ValueError, match='max_queries: MaskFileHead has no queries; leave it out'):
        check_queries(object.__new__(MaskFileHead), dict(max_queries=5))


@pytest.mark.parametrize('names', [['1.jpg'], ['2.jpg'], ['2.jpg', '1.jpg']])
@torch.no_grad()
def test_overlaps_go_to_the_best_score_and_no_masks_are_no_segments(model, names):
    shape = (64, 64)
    samples = [DetDataSample(metainfo=dict(
        img_path=name, ori_shape=shape, img_shape=shape, batch_input_shape=shape))
        for name in names]
    images = torch.rand(len(names), 3, *shape, generator=torch.Generator().manual_seed(0))
    scores = model.predict_scores(images, samples)
    for name, segments, result in zip(
            names, model.segment(scores, samples), model.make_results(scores, samples),
            strict=True):
        panoptic = result.pred_panoptic_seg.sem_seg[0]
        if name == '2.jpg':
            assert not segments.ids.any() and (panoptic == 3).all()
            assert len(result.pred_instances) == 0
            continue
        logits, = model.fuse(scores)[-1:]
        best = logits.softmax(-1)[:, :-1].max(-1).values
        owner = segments.ids[35, 5]  # of both
        assert owner == segments.ids[[5, 60][int(best.argmax())], 5] != 0
        no_object = logits.softmax(-1)[:, -1]
        torch.testing.assert_close(no_object, torch.tensor([0.25, 0.0]), atol=1e-4, rtol=0)


def test_coco_results_of_a_size_that_only_the_picture_tells(tmp_path):
    (tmp_path / 'r.json').write_text(json.dumps([
        dict(image_id='1', segmentation=[[4, 4, 20, 4, 20, 12, 4, 12]])]))
    head = MaskFileHead(str(tmp_path / 'r.json'), VOCABULARY)
    logits, = find(head, sample_of()).masks
    assert (logits[0, 5:11, 5:19] > 0).all() and (logits > 0).sum() < 200
    (tmp_path / 'r.json').write_text(json.dumps([
        dict(image_id='1', segmentation=[[4, 4, 200, 4, 200, 12]])]))
    with pytest.raises(ValueError, match='40 x 24 pixels'):
        find(MaskFileHead(str(tmp_path / 'r.json'), VOCABULARY), sample_of())
