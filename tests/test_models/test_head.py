"""The head: scores of classes, losses, and predictions of mixed vocabularies."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData, PixelData

from mmodise.vocabulary import Vocabulary

SMALL = Path(__file__).parents[2] / 'configs/_base_/models/odise_small.py'
TRAINING = dict(thing_classes=('cat, kitten', 'dog'), stuff_classes=('sky', 'grass, lawn'))


@pytest.fixture(scope='module')
def head(clip_cfg):
    init_default_scope('mmdet')
    model = Config.fromfile(SMALL).model
    cfg = dict(model.panoptic_head, clip=clip_cfg, vocabulary=TRAINING,
               train_cfg=model.train_cfg, test_cfg=model.test_cfg)
    torch.manual_seed(0)
    head = MODELS.build(cfg)
    head.init_weights()
    return head


def maps(batch, seed=0):
    """Maps of the backbone for images of 128 x 128."""
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(batch, 128, 128 // s, 128 // s, generator=generator)
                 for s in (4, 8, 16, 32))


def sample(things=((0, 0), (1, 32)), stuff=2):
    """A picture of 128 x 128: things (label, first column) of 32 columns each, on stuff."""
    masks = np.zeros((len(things), 128, 128), dtype=np.uint8)
    semantic = torch.full((1, 128, 128), stuff)
    for mask, (label, column) in zip(masks, things, strict=True):
        mask[:, column : column + 32] = 1
        semantic[..., column : column + 32] = label
    sample = DetDataSample(metainfo=dict(batch_input_shape=(128, 128), img_shape=(128, 128)))
    sample.gt_instances = InstanceData(
        labels=torch.tensor([label for label, _ in things], dtype=torch.long),
        masks=BitmapMasks(masks, 128, 128))
    sample.gt_sem_seg = PixelData(sem_seg=semantic)
    return sample


def losses(head, samples, seed=0):
    torch.manual_seed(seed)  # the losses are taken at random points
    return head.loss(maps(len(samples)), samples)


def test_a_class_scores_by_its_best_name(head):
    """Texts, projection and temperature are set so that all cosines are known."""
    vocabulary = Vocabulary.from_string('cat, kitten; dog')
    texts = head.clip.encode_texts(['cat', 'kitten', 'dog'])
    rows = torch.cat([texts, head.no_object.detach()])
    directions = torch.zeros(4, 128)  # of the four names, in the space of the embeddings
    directions[0, 0] = 2.0
    directions[1, 1] = 5.0
    directions[2, :2] = torch.tensor([3.0, 4.0])
    directions[3, 2] = 1.0
    old = {k: v.clone() for k, v in head.state_dict().items()}
    with torch.no_grad():
        head.text_proj.weight.copy_(torch.linalg.lstsq(rows, directions).solution.t())
        head.text_proj.bias.zero_()
        head.mask_embedding.log_scale.fill_(math.log(10))
        embeddings = torch.zeros(2, 128)
        embeddings[0, 0] = 7.0  # cosine 1, 0, 0.6, 0
        embeddings[1, 1:3] = torch.tensor([0.3, -0.4])  # cosine 0, 0.6, 0.48, -0.8
        logits = head.classify(embeddings, vocabulary)
    head.load_state_dict(old)
    expected = torch.tensor([[10.0, 6.0, 0.0], [6.0, 4.8, -8.0]])
    torch.testing.assert_close(logits, expected, rtol=1e-3, atol=2e-3)


def test_names_are_put_into_each_of_several_templates(head, monkeypatch):
    templates = ('a photo of a {}.', 'There is a {} in the scene')
    rows = F.normalize(head.clip.encode_texts([t.format('cat') for t in templates]), dim=-1)
    expected = head.text_proj(F.normalize(rows.mean(0, keepdim=True), dim=-1))
    monkeypatch.setattr(head, 'prompt', templates)
    torch.testing.assert_close(head.embed_texts(['cat']), expected)


@pytest.mark.parametrize('kind', ['ODISEHead', 'ODISECaptionHead'])
def test_a_template_without_a_place_for_the_name_is_refused(clip_cfg, kind):
    model = Config.fromfile(SMALL).model
    cfg = dict(model.panoptic_head, type=kind, clip=clip_cfg, vocabulary=TRAINING, prompt='a photo')
    with pytest.raises(ValueError, match="template 'a photo' does not say where the name goes"):
        MODELS.build(cfg)


def test_no_object_starts_as_the_embedding_of_nothing(head):
    torch.testing.assert_close(head.no_object.detach(), head.clip.encode_texts(['']))
    assert head.no_object.requires_grad


def test_no_object_counts_a_tenth(head):
    assert head.class_weight == [1.0] * 4 + [0.1]
    assert head.loss_cls.class_weight == [1.0] * 4 + [0.1]
    assert (head.num_things_classes, head.num_stuff_classes) == (2, 2)


def test_predictions_of_mixed_vocabularies_equal_those_of_each_image(head):
    head.eval()
    vocabularies = [Vocabulary.from_string('bird; cat, kitten', 'sea'),
                    Vocabulary.from_string('tree')]
    samples = [sample(), sample()]
    with torch.no_grad():
        masks, logits, *_ = head.predict(maps(2), samples, vocabularies)
        assert [tuple(one.shape) for one in logits] == [(12, 4), (12, 2)]
        assert masks.shape == (2, 12, 32, 32)
        for i in range(2):
            one = tuple(m[i : i + 1] for m in maps(2))
            mask, (alone, ), *_ = head.predict(one, samples[i:i + 1], vocabularies[i:i + 1])
            torch.testing.assert_close(logits[i], alone, rtol=1e-4, atol=1e-4)
            torch.testing.assert_close(masks[i], mask[0], rtol=1e-4, atol=1e-4)


def test_prediction_for_the_training_vocabulary_is_the_last_layers(head):
    head.eval()
    with torch.no_grad():
        all_logits, all_masks = head(maps(1), [sample()])
        masks, (logits, ), *_ = head.predict(maps(1), [sample()], [head.vocabulary])
    assert len(all_logits) == 4  # the initial queries, and after each of 3 layers
    assert all_logits[0].shape == (1, 12, 5)
    torch.testing.assert_close(logits, all_logits[-1][0])
    torch.testing.assert_close(masks, all_masks[-1])


def test_testing_embeds_the_masks_of_the_last_layer_only(head, monkeypatch):
    embedded, embed = [], head.mask_embedding.forward
    monkeypatch.setattr(head.mask_embedding, 'forward', lambda *args: (
        embedded.append(args[1]), embed(*args))[1])
    with torch.no_grad():
        masks, _, _, embeddings, _ = head.predict(maps(1), [sample()], [head.vocabulary])
    assert len(embedded) == 1 and torch.equal(embedded[0], masks)
    assert embeddings.shape == (1, 12, 128)


@torch.no_grad()
def test_the_best_masks_are_kept(clip_cfg, head):
    """Those least like "no object", in the order of the queries."""
    model = Config.fromfile(SMALL).model
    few = MODELS.build(dict(
        model.panoptic_head, clip=clip_cfg, vocabulary=TRAINING, train_cfg=model.train_cfg,
        test_cfg=dict(model.test_cfg, max_queries=5)))
    few.load_state_dict(head.state_dict())
    vocabularies = [Vocabulary.from_string('moon; cat')] * 2
    features = maps(2)
    every = head.name(head.find(features, []), vocabularies)
    ours = few.name(few.find(features, []), vocabularies)
    objects = head.label_logits([head.layers(features)[-1]])[0].softmax(dim=-1)[..., :-1].sum(-1)
    for i in range(2):
        best = objects[i].argsort(descending=True)[:5].sort().values
        assert ours.masks[i].shape == (5, 32, 32)
        torch.testing.assert_close(ours.masks[i], every.masks[i][best])
        torch.testing.assert_close(ours.in_vocabulary[i], every.in_vocabulary[i][best])


@pytest.mark.parametrize('number', [0, 2.5])
def test_no_mask_at_all_is_refused(clip_cfg, number):
    model = Config.fromfile(SMALL).model
    with pytest.raises(ValueError, match=f'test_cfg.max_queries={number}; give the number'):
        MODELS.build(dict(
            model.panoptic_head, clip=clip_cfg, vocabulary=TRAINING,
            test_cfg=dict(max_queries=number)))


def test_a_subclass_adds_a_loss_by_names(head):
    """The mean of what the layers' names give: embeddings with a graph, and the same numbers."""
    class WithMoreLoss(type(head)):
        def loss_by_layer(self, layers, batch_gt_instances, batch_img_metas):
            losses = super().loss_by_layer(layers, batch_gt_instances, batch_img_metas)
            self.seen = layers
            between = layers[-1].embeddings - layers[-2].embeddings
            return {**losses, 'loss_consistency': between.square().mean()}

    expected = losses(head, [sample()])
    head.__class__, cls = WithMoreLoss, type(head)
    try:
        values = losses(head, [sample()])
        layers = head.__dict__.pop('seen')
    finally:
        head.__class__ = cls
    assert values.pop('loss_consistency').requires_grad
    assert {k: v.item() for k, v in values.items()} == {k: v.item() for k, v in expected.items()}
    logits, masks = head(maps(1), [sample()])
    for i, layer in enumerate(layers):
        assert layer.queries.shape == (1, 12, 128)
        torch.testing.assert_close(layer.masks, masks[i])
        torch.testing.assert_close(head.classify(layer.embeddings, head.vocabulary), logits[i])


def test_masks_are_matched_with_true_ones(head):
    """Queries that show the true masks, and one that shows another label's, find their own."""
    layer = head.layers(maps(2))[-1]
    (instances, metas) = head.unpack_gt([sample(), sample(things=())])
    shown = [5, 0, 7]  # where the masks of the first image are, two things and stuff
    layer.masks = torch.full_like(layer.masks, -9)
    layer.masks[0, shown] = 18 * instances[0].masks[:, ::4, ::4].float() - 9
    layer.masks[1, 3] = 9
    first, second = head.match(layer, instances, metas)
    assert first[shown].tolist() == [0, 1, 2] and (first >= 0).sum() == 3
    assert second.tolist() == [-1, -1, -1, 0, *[-1] * 8], 'stuff is all there is'


def test_loss_names_are_mmdets_and_values_finite(head):
    head.train()
    values = losses(head, [sample(), sample(things=())])
    assert set(values) == {f'{layer}loss_{kind}' for layer in ('', 'd0.', 'd1.', 'd2.')
                           for kind in ('cls', 'mask', 'dice')}
    assert all(torch.isfinite(value) for value in values.values())


def test_every_trained_parameter_learns_from_the_loss(head):
    head.train().zero_grad()
    sum(losses(head, [sample()]).values()).backward()
    unused = {name for name, p in head.named_parameters() if p.grad is None}
    head.zero_grad()
    assert not unused
    assert all(p.grad is None for p in head.clip.frozen.model.parameters())


def test_matching_keeps_nothing_for_a_gradient(head, monkeypatch):
    costs = []
    match = head.assigner.assign
    monkeypatch.setattr(head.assigner, 'assign', lambda pred_instances, **kwargs: (
        costs.append(pred_instances.masks), match(pred_instances, **kwargs))[1])
    losses(head, [sample()])
    assert len(costs) == 1 + head.num_transformer_decoder_layers
    assert not any(masks.requires_grad for masks in costs)


def test_classification_loss_by_hand(head):
    """Two queries, one of them matched: weights 1 and 0.1, mean over their sum, twice."""
    logits = torch.tensor([[[2.0, 0, 0, 0, 0], [0, 0, 0, 1.0, 3.0]]])
    labels = torch.tensor([[0, 4]])
    losses = [math.log(math.exp(2) + 4) - 2, math.log(math.exp(3) + math.e + 3) - 3]
    expected = 2 * (1.0 * losses[0] + 0.1 * losses[1]) / 1.1
    value = head.loss_cls(logits.flatten(0, 1), labels.flatten(), torch.ones(2), avg_factor=1.1)
    assert value.item() == pytest.approx(expected, rel=1e-5)


def test_mixed_precision_is_finite_and_close(head):
    head.train()
    exact = losses(head, [sample()])
    with torch.autocast('cpu', dtype=torch.bfloat16):
        mixed = losses(head, [sample()])
    assert all(value.dtype == torch.float32 for value in mixed.values())
    total, total_mixed = sum(exact.values()).item(), sum(mixed.values()).item()
    assert total_mixed == pytest.approx(total, rel=0.05)


def test_vocabulary_without_classes(clip_cfg):
    init_default_scope('mmdet')
    cfg = dict(Config.fromfile(SMALL).model.panoptic_head, clip=clip_cfg, vocabulary={})
    with pytest.raises(ValueError, match="none of 'thing_classes'"):
        MODELS.build(cfg)


def test_a_label_that_the_vocabulary_lacks_is_refused(head):
    head.train()
    with pytest.raises(ValueError, match='label 4, the training vocabulary 4 classes'):
        losses(head, [sample(things=((4, 0), ))])


def test_a_misspelt_setting_of_training_is_refused(clip_cfg):
    model = Config.fromfile(SMALL).model
    model.train_cfg['num_point'] = 10
    with pytest.raises(ValueError, match=r"train_cfg: 'num_point' .* did you mean 'num_points'"):
        MODELS.build(dict(model.panoptic_head, clip=clip_cfg, vocabulary=TRAINING,
                          train_cfg=model.train_cfg, test_cfg=model.test_cfg))


@pytest.mark.parametrize(('ignored', 'expected'), [
    (False, [1] * 12), (True, [1, 1, 1, 0, 0, 1, *[0] * 5, 1])])
def test_masks_on_unannotated_pixels_may_teach_nothing(head, monkeypatch, ignored, expected):
    """The left half is annotated, in two segments; queries are boxes of columns."""
    true = InstanceData(labels=torch.tensor([0, 2]), masks=torch.zeros(2, 128, 128))
    true.masks[0, :, :32] = true.masks[1, :, 32:64] = 1
    columns = [(0, 8), (8, 16), (2, 12), (20, 28), (16, 32), (6, 18), *[(18, 30)] * 5, (0, 0)]
    masks = torch.full((12, 32, 32), -9.0)
    for mask, (first, last) in zip(masks, columns, strict=True):
        mask[:, first:last] = 9
    monkeypatch.setattr(head, 'ignore_unannotated', ignored)
    torch.manual_seed(0)
    labels, weights, *_ = head._get_targets_single(torch.zeros(12, 5), masks, true, {})
    assert labels.tolist() == [0, 2, *[4] * 10]  # the first two are matched
    assert weights.tolist() == expected


def test_an_image_without_annotation_teaches_nothing(head, monkeypatch):
    monkeypatch.setattr(head, 'ignore_unannotated', True)
    values = losses(head, [sample(things=(), stuff=255)])
    assert {name: value for name, value in values.items() if value != 0} == {}
    assert losses(head, [sample()])['loss_cls'] > 1
