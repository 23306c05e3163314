"""Segments of an image, of any number of classes."""

import torch
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict

from mmodise.models import OpenVocabularyFusionHead
from mmodise.vocabulary import Vocabulary

VOCABULARY = Vocabulary.from_string('ball; box', 'sand; sea')
META = dict(batch_input_shape=(64, 64), img_shape=(64, 64), ori_shape=(128, 128))


def quarters(*columns):
    """Masks that are on in some of four columns, (Q, 16, 16)."""
    masks = torch.full((len(columns), 16, 16), -9.0)
    for mask, wanted in zip(masks, columns, strict=True):
        for column in wanted:
            mask[:, 4 * column : 4 * column + 4] = 9.0
    return masks


def logits(*labels, share=0.9, classes=5):
    rows = torch.full((len(labels), classes), (1 - share) / (classes - 1)).log()
    for row, label in zip(rows, labels, strict=True):
        row[label] = torch.tensor(share).log()
    return rows


def segment(scores, masks, vocabulary=VOCABULARY, threshold=None, **cfg):
    head = OpenVocabularyFusionHead(test_cfg=ConfigDict(
        dict(object_mask_thr=0.5, iou_thr=0.5, filter_low_score=True) | cfg))
    return head.segment(scores, masks, META, vocabulary, threshold)


def test_stuff_is_one_segment_and_things_are_many():
    scores = logits(2, 0, 0, 2)
    scores[3] = logits(2, share=0.95)[0]
    found = segment(scores, quarters([0], [1], [2], [3]))
    assert found.ids[5, [16, 48, 80, 112]].tolist() == [1, 2, 3, 1]
    assert found.ids.shape == (128, 128) and found.ids.dtype == torch.int32
    assert found.labels.tolist() == [2, 0, 0]
    assert found.queries.tolist() == [3, 1, 2], 'of the stuff the best'
    torch.testing.assert_close(
        found.probabilities.amax(1), torch.tensor([0.95, 0.9, 0.9]), rtol=1e-5, atol=1e-5)


def test_what_does_not_become_a_segment():
    scores = logits(0, 1, 4, 1)  # the third is no object
    scores[3] = logits(1, share=0.4)[0]
    found = segment(scores, quarters([0], [0, 1], [2], [3]))
    assert found.queries.tolist() == [0, 1]
    hidden = segment(scores, quarters([0], [0], [2], [3]))
    assert hidden.queries.tolist() == [0], 'the first covers the second'
    assert segment(scores, quarters([0], [0, 1], [2], [3]), threshold=0.3).queries.tolist() == [
        0, 1, 3]
    none = segment(scores, quarters([0], [1], [2], [3]), threshold=0.99)
    assert len(none.queries) == 0 and none.probabilities.shape == (0, 5)
    assert none.ids.shape == (128, 128) and not none.ids.any()


def test_numbers_do_not_skip_masks_that_are_cut_off_whole():
    """A mask that is low wherever it wins has no pixel left."""
    masks = quarters([0], [1], [2])
    masks[0] = -0.1
    masks[0, :2, :2] = 9.0
    found = segment(logits(0, 1, 0), masks, iou_thr=0.0)
    assert found.ids.unique().tolist() == [0, *range(1, len(found.queries) + 1)]


def test_more_classes_than_mmdet_can_write():
    vocabulary = Vocabulary.from_lists([f'thing {i}' for i in range(1500)])
    scores = logits(1200, 3, classes=1501)
    found = segment(scores, quarters([0], [1, 2]), vocabulary)
    assert found.labels.tolist() == [1200, 3]
    assert [(found.ids == i).sum() for i in (1, 2)] == [128 * 32, 128 * 64]


def test_it_is_mmdets_map_without_the_encoding():
    generator = torch.Generator().manual_seed(0)
    scores = 3 * torch.randn(12, 5, generator=generator)
    masks = 4 * torch.randn(1, 12, 4, 4, generator=generator)
    masks = torch.nn.functional.interpolate(masks, (16, 16), mode='bicubic')[0]
    cfg = dict(object_mask_thr=0.4, iou_thr=0.2, filter_low_score=True)
    head = OpenVocabularyFusionHead(test_cfg=ConfigDict(cfg))
    expected, = head.predict([scores], [masks], [DetDataSample(metainfo=META)], [VOCABULARY])
    expected = expected['pan_results'].sem_seg[0]
    found = head.segment(scores, masks, META, VOCABULARY)
    labels = torch.cat([torch.tensor([4]), found.labels])[found.ids.long()]
    assert torch.equal(labels, (expected % 1000).long())
    pairs = torch.stack([found.ids, expected]).flatten(1).unique(dim=1)
    assert pairs.shape[1] == len(found.ids.unique()) == len(expected.unique()) > 3
