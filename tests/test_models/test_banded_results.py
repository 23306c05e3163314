"""Results from bands, against mmdet's of whole masks."""

import pytest
import torch
import torch.nn.functional as F
from mmdet.models.seg_heads.panoptic_fusion_heads import MaskFormerFusionHead
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mmodise.models import OpenVocabularyFusionHead
from mmodise.models.results.segments import is_share
from mmodise.vocabulary import Vocabulary

VOCABULARY = Vocabulary.from_lists(
    [f'thing {i}' for i in range(6)], [f'stuff {i}' for i in range(5)])
CFG = dict(
    panoptic_on=True, instance_on=True, semantic_on=True, object_mask_thr=0.1, iou_thr=0.0,
    filter_low_score=True, max_per_image=30)
META = dict(batch_input_shape=(128, 192), img_shape=(120, 170), ori_shape=(211, 303))


def scores_and_masks(num_queries=20):
    """Blobs that overlap, with class scores of which some say "no object"."""
    generator = torch.Generator().manual_seed(0)
    blobs = 4 * torch.randn(1, num_queries, 5, 7, generator=generator) - 2
    masks = F.interpolate(blobs, (32, 48), mode='bicubic')
    classes = 2 * torch.randn(num_queries, len(VOCABULARY) + 1, generator=generator)
    classes[:, -1] += 2
    return classes, masks


def predict(classes, masks, meta=META, **cfg):
    head = OpenVocabularyFusionHead(test_cfg=ConfigDict(CFG | cfg))
    result, = head.predict(
        [classes], masks, [DetDataSample(metainfo=meta)], [VOCABULARY])
    return result


@pytest.fixture(scope='module')
def whole():
    """Mask logits at full size."""
    masks = scores_and_masks()[1]
    masks = F.interpolate(masks, META['batch_input_shape'], mode='bilinear')[..., :120, :170]
    return F.interpolate(masks, META['ori_shape'], mode='bilinear')[0]


@pytest.fixture(scope='module')
def mmdet_head():
    return MaskFormerFusionHead(
        num_things_classes=6, num_stuff_classes=5, test_cfg=ConfigDict(CFG))


@pytest.mark.parametrize('cfg', [
    {}, dict(filter_low_score=False), dict(iou_thr=0.3), dict(object_mask_thr=0.4)])
def test_panoptic_map_is_mmdets(whole, mmdet_head, monkeypatch, cfg):
    classes, masks = scores_and_masks()
    monkeypatch.setattr(mmdet_head, 'test_cfg', ConfigDict(CFG | cfg))
    expected = mmdet_head.panoptic_postprocess(classes, whole).sem_seg
    ours = predict(classes, masks, **cfg)['pan_results'].sem_seg
    assert len(expected.unique()) > 4
    assert ours.dtype == expected.dtype and ours.shape == (1, 211, 303)
    assert (ours != expected).sum() <= 3  # pixels on an edge
    assert ours.unique().tolist() == expected.unique().tolist()


def test_instances_are_mmdets(whole, mmdet_head):
    classes, masks = scores_and_masks()
    expected = mmdet_head.instance_postprocess(classes, whole)
    ours = predict(classes, masks)['ins_results']
    assert ours.labels.tolist() == expected.labels.tolist() and len(ours.labels) > 5
    torch.testing.assert_close(ours.scores, expected.scores, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(ours.bboxes, expected.bboxes, rtol=0, atol=0)
    assert (ours.masks != expected.masks).sum() <= 3


def test_semantic_map_is_the_largest_sum(whole):
    classes, masks = scores_and_masks()
    scores = torch.einsum('qk,qhw->khw', classes.softmax(-1)[:, :-1], whole.sigmoid())
    ours = predict(classes, masks)['sem_results'].sem_seg
    assert (ours[0] != scores.argmax(0)).sum() <= 3


@pytest.mark.parametrize('max_bytes', [200_000, 1_000_000])
def test_bands_change_nothing(max_bytes):
    classes, masks = scores_and_masks()
    one = predict(classes, masks, max_result_bytes=10**9)
    many = predict(classes, masks, max_result_bytes=max_bytes)
    for name in ('pan_results', 'sem_results'):
        assert torch.equal(many[name].sem_seg, one[name].sem_seg)
    one, many = one['ins_results'], many['ins_results']
    assert torch.equal(many.masks, one.masks) and torch.equal(many.bboxes, one.bboxes)
    torch.testing.assert_close(many.scores, one.scores)


def test_each_result_alone_is_the_same():
    """Without semantic results, only the masks that are needed are resized."""
    classes, masks = scores_and_masks()
    together = predict(classes, masks)
    switches = dict(panoptic_on='pan_results', instance_on='ins_results', semantic_on='sem_results')
    for switch, name in switches.items():
        result = predict(classes, masks, **{**dict.fromkeys(switches, False), switch: True})
        assert result.keys() == {name}
        ours, expected = ((r[name].masks if name == 'ins_results' else r[name].sem_seg)
                          for r in (result, together))
        assert torch.equal(ours, expected)


@pytest.mark.parametrize('share', [0.8, 0.3, 1 / 3, 0.05, 0.95, 0.0, 1.0])
def test_shares_are_those_of_a_division_in_float64(share):
    """4 / 5 is 0.8, though 0.8 is more than 4 / 5 as a fraction."""
    parts, wholes = torch.meshgrid(torch.arange(1, 400), torch.arange(1, 400), indexing='ij')
    expected = parts.double() / wholes >= share
    assert torch.equal(is_share(parts, wholes, share), expected)
    image = 2**27  # of 11,585 x 11,585 pixels
    near = torch.arange(-3, 4) + round(image * share)
    assert torch.equal(is_share(near, torch.tensor(image), share), near.double() / image >= share)


def test_nothing_found():
    classes, masks = scores_and_masks()
    classes[:, -1] = 100
    result = predict(classes, masks, instance_on=False, semantic_on=False)
    assert (result['pan_results'].sem_seg == len(VOCABULARY)).all()
    things = predict(-classes, masks.clamp(max=-1), max_per_image=4)['ins_results']
    assert not things.masks.any() and not things.bboxes.any() and not things.scores.any()


class FloatMemory(TorchDispatchMode):
    """Watches how much memory floating-point tensors take, but for those that are known."""

    def __init__(self, *known):
        super().__init__()
        self.known = {t.untyped_storage().data_ptr() for t in known}
        self.alive, self.largest, self.most = {}, 0, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor) and tensor.is_floating_point():
                storage = tensor.untyped_storage()
                if storage.data_ptr() not in self.known:
                    self.alive[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())
                    self.largest = max(self.largest, storage.nbytes())
        self.alive = {key: (ref, size) for key, (ref, size) in self.alive.items()
                      if not ref.expired()}
        self.most = max(self.most, sum(size for _, size in self.alive.values()))
        return out


@pytest.mark.parametrize('original', [(2000, 1500), (240, 180)])
def test_a_large_image_takes_no_more_memory_than_it_may(original):
    """All 20 masks at full size are 240 MB; those of the small image are large in between."""
    classes, _ = scores_and_masks()
    masks = F.interpolate(scores_and_masks()[1], (256, 192), mode='bilinear')
    meta = dict(batch_input_shape=(1024, 768), img_shape=(1024, 768), ori_shape=original)
    limit = 8_000_000
    with FloatMemory(masks) as memory:
        predict(classes, masks, meta, max_result_bytes=limit, max_per_image=2)
    assert memory.largest < memory.most <= limit
    assert memory.most > limit / 3, 'the limit is made use of'


def test_many_classes_do_not_take_more_memory():
    vocabulary = Vocabulary.from_lists([f'class {i}' for i in range(3000)], [])
    classes = torch.randn(20, 3001, generator=torch.Generator().manual_seed(0))
    masks = scores_and_masks()[1]
    head = OpenVocabularyFusionHead(test_cfg=ConfigDict(
        panoptic_on=False, semantic_on=True, max_result_bytes=2_000_000))
    with FloatMemory(masks, classes) as memory:  # scores of all pixels would be 767 MB
        result, = head.predict([classes], masks, [DetDataSample(metainfo=META)], [vocabulary])
    assert memory.most <= 2_000_000 + 2 * 4 * classes.numel()
    assert len(result['sem_results'].sem_seg.unique()) > 3
