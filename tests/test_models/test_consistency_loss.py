"""Consistency: each term is 0 where predictions agree, and teaches those that it says."""

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config
from mmengine.structures import InstanceData, PixelData

from mmodise.models import MaskPredictions, MaskScores, MaskTargets
from mmodise.models.heads.layer_output import LayerOutput
from mmodise.models.losses import consistency_loss
from mmodise.models.losses.agreement import divergence, mask_disagreement, symmetric_divergence

SMALL = Path(__file__).parents[2] / 'configs/_base_/models/odise_small.py'
TRAINING = dict(thing_classes=('red ball', 'blue box'), stuff_classes=('sand', ))
TERMS = 'layer_mask', 'layer_class', 'view_mask', 'view_class', 'clip', 'embedding'
CAPTION_HEAD = dict(type='ODISECaptionHead', loss_grounding=dict(type='GroundingLoss'))


def only(*terms, **kwargs):
    weights = {term: float(term in terms) for term in TERMS}
    return MODELS.build(dict(type='ConsistencyLoss', **weights, **kwargs))


def build(small_models, head=None, **kwargs):
    cfg = Config.fromfile(SMALL).model
    cfg.backbone.extractor.pretrained = str(small_models / 'stable_diffusion')
    clip = dict(cfg.classifier.clip, model=str(small_models / 'clip'))
    cfg.backbone.captioner.clip = cfg.panoptic_head.clip = cfg.classifier.clip = clip
    cfg.panoptic_head.update(vocabulary=TRAINING, **(head or {}))
    cfg.update(kwargs)
    torch.manual_seed(0)
    model = MODELS.build(cfg)
    model.init_weights()
    return model


@pytest.fixture(scope='module')
def model(small_models):
    return build(small_models)


def sample(things=((0, 0), (1, 32)), stuff=2, **meta):
    """A picture of 128 x 128: things (label, first column) of 32 columns each, on stuff."""
    masks = np.zeros((len(things), 128, 128), dtype=np.uint8)
    semantic = torch.full((1, 128, 128), stuff)
    for mask, (label, column) in zip(masks, things, strict=True):
        mask[:, column : column + 32] = 1
        semantic[..., column : column + 32] = label
    sample = DetDataSample(metainfo=dict(
        batch_input_shape=(128, 128), img_shape=(128, 128), ori_shape=(128, 128), **meta))
    sample.gt_instances = InstanceData(
        labels=torch.tensor([label for label, _ in things], dtype=torch.long),
        masks=BitmapMasks(masks, 128, 128))
    sample.gt_sem_seg = PixelData(sem_seg=semantic)
    return sample


def nothing(**meta):
    return sample(things=(), stuff=255, **meta)


def pictures(number):
    return torch.rand(number, 3, 128, 128, generator=torch.Generator().manual_seed(0))


class Case:
    """Two images, two layers of a head, and queries that show the true masks, and others."""

    def __init__(self, model, monkeypatch):
        self.head = head = model.panoptic_head
        self.monkeypatch = monkeypatch
        self.samples = [sample(), sample(things=((1, 96), ), stuff=255)]
        self.instances, _ = head.unpack_gt(self.samples)
        self.shown = [(0, 5, 0), (0, 0, 1), (0, 7, 2), (1, 3, 0)]  # image, query, true mask
        generator = torch.Generator().manual_seed(0)
        self.features = torch.randn(2, 128, 32, 32, generator=generator, requires_grad=True)
        self.generator = generator
        self.layers = [self.layer(), self.layer()]
        self.matches = [torch.full((12, ), -1) for _ in range(2)]
        for image, query, truth in self.shown:
            self.matches[image][query] = truth
        self.model = SimpleNamespace(
            panoptic_head=head, classifier=self.classify, extract_feat=self.extract_feat)
        self.views = []
        self.clip_logits = torch.randn(4, 3, generator=generator)

    def layer(self):
        head, masks = self.head, torch.full((2, 12, 32, 32), -9.0)
        for image, query, truth in self.shown:
            masks[image, query] = 18 * self.instances[image].masks[truth, ::4, ::4].float() - 9
        queries = torch.randn(2, 12, 128, generator=self.generator, requires_grad=True)
        return LayerOutput(
            queries, masks.requires_grad_(), queries, self.features, head.mask_embedding)

    def extract_feat(self, images, samples):
        self.views.append(images)
        return ()

    def classify(self, images, features, masks, samples, vocabularies):
        assert not torch.is_grad_enabled() and [len(m) for m in masks] == [3, 1]
        self.seen_masks = masks
        return [MaskScores(self.clip_logits[:3]), MaskScores(
            self.clip_logits[3:], torch.tensor([False]))]

    def losses(self, loss, view=None):
        if view is not None:
            self.monkeypatch.setattr(self.head, 'layers', lambda x: [view])
        last = self.layers[-1]
        targets = MaskTargets(
            self.head.vocabulary, self.instances, MaskPredictions(last.masks), self.matches,
            self.layers)
        return loss(self.model, pictures(2), (), self.samples, targets)

    def objects(self, tensor):
        return torch.stack([tensor[image, query] for image, query, _ in self.shown])


@pytest.fixture
def case(model, monkeypatch):
    return Case(model, monkeypatch)


def test_disagreements_by_hand():
    masks = torch.tensor([[[1.0, 0.5]], [[0.3, 0.2]]])
    others = torch.tensor([[[0.0, 1.0]], [[0.3, 0.2]]])
    found = mask_disagreement(masks, others)
    assert found.tolist() == pytest.approx([1 - (2 * 0.5 + 1) / (1.25 + 1 + 1), 0])
    p, q = torch.tensor([0.5, 0.5]), torch.tensor([0.25, 0.75])
    kl = 0.5 * math.log(2) + 0.5 * math.log(2 / 3)
    assert divergence(p.log(), q.log() + 3).item() == pytest.approx(kl, rel=1e-5)
    apart = torch.tensor([[90.0, 0.0]]), torch.tensor([[0.0, 90.0]])
    assert symmetric_divergence(*apart).item() == pytest.approx(math.log(2), rel=1e-5)
    assert symmetric_divergence(apart[0], apart[0] + 1).item() == 0


def test_layers_that_agree_and_layers_that_learn(case):
    loss = only('layer_mask', 'layer_class')
    first, last = case.layers
    case.layers = [last, last]
    values = case.losses(loss)
    assert set(values) == {'loss_consistency_layer_mask', 'loss_consistency_layer_class'}
    assert all(value.item() == pytest.approx(0, abs=1e-6) for value in values.values())
    case.layers = [first, last]
    with torch.no_grad():
        first.masks[0, 5] = 0  # half of everything
    values = case.losses(loss)
    truth = last.masks[0, 5].detach().sigmoid()
    by_hand = 1 - (truth.sum() + 1) / (0.25 * 32 * 32 + truth.square().sum() + 1)
    assert values['loss_consistency_layer_mask'].item() == pytest.approx(by_hand.item() / 4)
    logits = [case.objects(case.head.classify(layer.embeddings, case.head.vocabulary))
              for layer in (first, last)]
    expected = F.kl_div(logits[0].log_softmax(-1), logits[1].softmax(-1), reduction='sum') / 4
    assert values['loss_consistency_layer_class'].item() == pytest.approx(
        expected.item(), rel=1e-4)
    values['loss_consistency_layer_mask'].backward()
    assert not last.masks.grad.any()
    assert first.masks.grad[0, 5].any() and not first.masks.grad[0, 6].any()
    values['loss_consistency_layer_class'].backward()
    assert not last.queries.grad.any() and first.queries.grad.any()


def test_views_are_mapped_back_and_both_learn(case):
    loss = only('view_mask', 'view_class', scale=0.5, flip=True)
    last = case.layers[-1]
    small = F.interpolate(last.masks.detach().flip(-1), scale_factor=0.5)
    order = torch.arange(12).roll(1)  # other queries find the same objects
    view = LayerOutput(
        last.queries.detach()[:, order].requires_grad_(), small[:, order].requires_grad_(),
        last.scores.detach()[:, order], last.mask_features, case.head.mask_embedding)
    view.embeddings = last.embeddings.detach()[:, order].requires_grad_()
    values = case.losses(loss, view)
    assert case.views[0].shape == (2, 3, 64, 64)
    expected = F.interpolate(pictures(2), (64, 64), mode='area').flip(-1)
    assert (case.views[0] - expected).abs().mean() < 0.1  # antialiased, mirrored
    assert values['loss_consistency_view_class'].item() == pytest.approx(0, abs=1e-6)
    assert values['loss_consistency_view_mask'].item() < 0.05, 'the edges are blurred'
    sum(values.values()).backward()
    assert last.masks.grad[0, 5].any() and view.masks.grad[0, 6].any()
    assert not last.masks.grad[0, 6].any() and not view.masks.grad[0, 5].any()

    same = only('view_mask', 'view_class', scale=1.0, flip=False)
    assert sum(case.losses(same, last).values()).item() == pytest.approx(0, abs=1e-6)
    assert torch.equal(case.views[1], pictures(2))

    other = LayerOutput(
        last.queries, last.masks, last.scores, last.mask_features, case.head.mask_embedding)
    other.embeddings = -last.embeddings.detach().requires_grad_()
    value = case.losses(only('view_class', scale=1.0, flip=False), other)
    logits = [case.objects(case.head.classify(layer.embeddings, case.head.vocabulary))
              for layer in (last, other)]
    assert value['loss_consistency_view_class'].item() == pytest.approx(
        symmetric_divergence(*logits).mean().item(), rel=1e-4)


def test_clip_teaches_the_head(case):
    last = case.layers[-1]
    value, = case.losses(only('clip', temperature=2.0)).values()
    ours = case.objects(case.head.classify(last.embeddings, case.head.vocabulary))[:, :3]
    # queries come in their order, and the one of the second image could not be looked at
    ours, theirs = (logits / 2 for logits in (ours[[1, 0, 2]], case.clip_logits[:3]))
    expected = 4 * F.kl_div(ours.log_softmax(-1), theirs.softmax(-1), reduction='sum') / 3
    assert value.item() == pytest.approx(expected.item(), rel=1e-4)
    assert not any(masks.requires_grad for masks in case.seen_masks)
    value.backward()
    assert last.queries.grad[0, 5].any() and not last.queries.grad[1].any()
    with torch.no_grad():
        case.clip_logits[:3] = case.objects(
            case.head.classify(last.embeddings, case.head.vocabulary))[[1, 0, 2], :3] + 7
    again, = case.losses(only('clip')).values()
    assert again.item() == pytest.approx(0, abs=1e-5)


def test_embeddings_under_true_masks_teach_those_under_predicted(case):
    last, (image, query, truth) = case.layers[-1], case.shown[0]
    loss = only('embedding')
    assert case.losses(loss)['loss_consistency_embedding'].item() == pytest.approx(0, abs=1e-6)
    with torch.no_grad():
        last.masks[image, query] = last.masks[1, 3]
    del last.embeddings
    value = case.losses(loss)['loss_consistency_embedding']
    mask = case.instances[image].masks[truth, ::4, ::4].float() - 0.5
    under_truth = case.head.mask_embedding(
        last.queries[image, query][None, None], mask[None, None], last.mask_features[[image]])
    expected = 1 - F.cosine_similarity(last.embeddings[image, query], under_truth[0, 0], dim=0)
    assert value.item() == pytest.approx(expected.item() / 4, rel=1e-4)
    value.backward()
    assert last.masks.grad is None and last.queries.grad[image, query].any()
    # of the first image only this object is apart: pooled in columns 24 to 31, in truth 0 to 7
    learns = case.features.grad[0].abs().amax((0, 1))
    assert learns[24:].min() > 1e-7 > 1e-9 > learns[:24].max()
    alone = value.detach()
    case.instances[image].masks[truth] = 0
    case.instances[image].masks[truth, :2, :2] = 1  # a quarter of a cell
    rest = case.losses(loss)['loss_consistency_embedding']
    assert alone > 0 and rest.item() == pytest.approx(0, abs=1e-6), 'left out'


def loss_of(model, consistency, samples):
    model.consistency = consistency
    model.train()
    torch.manual_seed(3)
    try:
        return model.loss(pictures(len(samples)), samples), torch.get_rng_state()
    finally:
        model.consistency = None


def test_off_is_as_without_and_on_leaves_the_other_losses(model):
    samples = [sample(), sample(things=())]
    before, state = loss_of(model, None, samples)
    off, same = loss_of(model, only(), samples)
    assert torch.equal(state, same)
    assert {k: v.item() for k, v in off.items()} == {k: v.item() for k, v in before.items()}
    on, _ = loss_of(model, MODELS.build(dict(type='ConsistencyLoss')), samples)
    assert set(on) - set(before) == {f'loss_consistency_{term}' for term in TERMS}
    assert {k: on[k].item() for k in before} == {k: v.item() for k, v in before.items()}
    assert all(0 < on[f'loss_consistency_{term}'] < math.inf for term in TERMS)
    twice, _ = loss_of(model, MODELS.build(dict(type='ConsistencyLoss', clip=2.0)), samples)
    assert twice['loss_consistency_clip'].item() == pytest.approx(
        2 * on['loss_consistency_clip'].item(), rel=1e-5)


@pytest.mark.parametrize('term', ['layer_mask', 'layer_class', 'clip', 'embedding'])
def test_the_picture_is_seen_once_where_views_are_not_compared(model, monkeypatch, term):
    calls, extract = [], model.backbone.forward
    monkeypatch.setattr(
        model.backbone, 'forward', lambda *args: calls.append(args) or extract(*args))
    values, _ = loss_of(model, only(term), [sample()])
    assert len(calls) == 1
    assert [name for name in values if 'consistency' in name] == [f'loss_consistency_{term}']


@pytest.mark.parametrize('head', [None, CAPTION_HEAD])
def test_without_a_match_all_terms_are_0_with_a_graph(small_models, head):
    model = build(small_models, head)
    samples = [nothing(words=('ball', ), has_masks=False)] * 2
    values, _ = loss_of(model, MODELS.build(dict(type='ConsistencyLoss')), samples)
    found = [value for name, value in values.items() if 'consistency' in name]
    assert [value.item() for value in found] == [0] * 6
    sum(found).backward()
    assert all(parameter.grad is None or not parameter.grad.any()
               for parameter in model.parameters())


def test_caption_supervision_learns_from_it(small_models):
    model = build(small_models, CAPTION_HEAD)
    samples = [sample(words=('ball', )), sample(words=('box', ), things=())]
    values, _ = loss_of(model, MODELS.build(dict(type='ConsistencyLoss')), samples)
    assert all(0 < values[f'loss_consistency_{term}'] < math.inf for term in TERMS)
    values['loss_consistency_clip'].backward()
    assert model.panoptic_head.text_proj.weight.grad.any()


def test_mixed_precision_gives_finite_losses(model):
    with torch.autocast('cpu', torch.bfloat16):
        values, _ = loss_of(model, MODELS.build(dict(type='ConsistencyLoss')), [sample()])
    assert all(values[f'loss_consistency_{term}'].dtype == torch.float32
               and torch.isfinite(values[f'loss_consistency_{term}']) for term in TERMS)


def test_ranks_of_different_numbers_of_objects_make_the_mean_of_all(monkeypatch):
    """The mean over ranks that DDP takes, of three objects and of one, and where one has none."""
    for ranks in ([[3.0, 5.0, 1.0], [7.0]], [[2.0, 4.0], []]):
        mean_count = sum(map(len, ranks)) / 2
        monkeypatch.setattr(
            consistency_loss, 'reduce_mean', lambda _, m=mean_count: torch.tensor(m))
        losses = [consistency_loss.average(torch.tensor(values)) for values in ranks]
        expected = sum(map(sum, ranks)) / sum(map(len, ranks))
        assert (sum(losses) / 2).item() == pytest.approx(expected)


def test_what_it_cannot_compare_is_said_at_building(small_models):
    with pytest.raises(ValueError, match=r'model\.consistency\.clip=1\.0 .* there is none'):
        build(small_models, classifier=None, consistency=dict(type='ConsistencyLoss'))
    built = build(
        small_models, classifier=None, consistency=dict(type='ConsistencyLoss', clip=0))
    assert built.consistency.weights.keys() == set(TERMS) - {'clip'}
    with pytest.raises(ValueError, match='view_mask=-1, expected a number of at least 0'):
        MODELS.build(dict(type='ConsistencyLoss', view_mask=-1))
    with pytest.raises(ValueError, match='temperature=0, expected a number above 0'):
        MODELS.build(dict(type='ConsistencyLoss', temperature=0))
    with pytest.raises(ValueError, match='SimpleNamespace has no decoder layers'):
        only().check(SimpleNamespace(), None)
