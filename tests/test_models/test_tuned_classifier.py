"""A classifier that learns from true masks: its loss, what is trained, what a checkpoint holds."""

import pytest
import torch
import torch.nn.functional as F
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from mmodise.models import CLIPClassifier, MaskTargets, TunedCLIPClassifier
from mmodise.models.classifiers.tuned_clip_classifier import balance, draw_names
from mmodise.vocabulary import Vocabulary

VOCABULARY = Vocabulary.from_string('red ball, crimson ball; star', 'sand')
SAMPLES = [DetDataSample(metainfo=dict(img_shape=(128, 128))),
           DetDataSample(metainfo=dict(img_shape=(64, 96)))]
TEMPLATES = ('a photo of a {}.', 'a {} in the scene')


@pytest.fixture
def classifier(clip_cfg):
    return TunedCLIPClassifier(clip_cfg, last_blocks=2)


@pytest.fixture
def images():
    return torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))


def truth(*boxes):
    """Masks of rows, columns and labels."""
    masks = torch.zeros(len(boxes), 128, 128, dtype=torch.long)
    for mask, (top, bottom, left, right, _) in zip(masks, boxes, strict=True):
        mask[top:bottom, left:right] = 1
    labels = torch.tensor([box[-1] for box in boxes], dtype=torch.long)
    return InstanceData(masks=masks, labels=labels)


def test_it_is_not_trained_in_int8(clip_cfg):
    low = TunedCLIPClassifier(dict(clip_cfg, precision='int8'), last_blocks=2)
    with pytest.raises(ValueError, match=r"clip\.precision='int8' passes no gradients"):
        low.train()
    low.requires_grad_(False).train()


def test_untrained_it_is_clip(clip_cfg, images):
    """With several templates: the mean of the similarities, not of the embeddings."""
    masks = torch.randn(2, 4, 32, 32, generator=torch.Generator().manual_seed(1))
    args = images, (), masks, SAMPLES, [VOCABULARY] * 2
    settings = dict(align_masks=True, soft_masks=True, last_blocks=2)
    for prompt in TEMPLATES:
        tuned = TunedCLIPClassifier(clip_cfg, prompt=prompt, last_blocks=2)
        plain = CLIPClassifier(clip_cfg, prompt=prompt, **settings)
        for ours, clips in zip(tuned(*args), plain(*args), strict=True):
            torch.testing.assert_close(ours.logits, clips.logits, rtol=1e-4, atol=1e-4)
    both = TunedCLIPClassifier(clip_cfg, prompt=TEMPLATES, last_blocks=2)
    embeddings = torch.randn(3, both.clip.embed_dim, generator=torch.Generator().manual_seed(2))
    names = torch.stack([F.normalize(both.clip.encode_names(VOCABULARY, one), dim=-1)
                         for one in TEMPLATES]).mean(0)
    expected = both.clip.logit_scale * F.normalize(embeddings, dim=-1) @ names.t()
    torch.testing.assert_close(
        both.name_logits(embeddings, VOCABULARY), expected, rtol=1e-4, atol=1e-4)
    assert [prompt for _, prompt in both.name_encoders()] == [*TEMPLATES]


def test_the_loss_is_balanced_over_images_and_classes(classifier, images, monkeypatch):
    """Worked out mask by mask; what shows in no patch is left out, here a pixel in its corner."""
    instances = [
        truth((0, 64, 0, 64, 0), (0, 64, 64, 128, 0), (64, 128, 0, 128, 2), (0, 1, 0, 1, 1)),
        truth((0, 32, 0, 96, 1))]
    monkeypatch.setattr(
        'mmodise.models.classifiers.tuned_clip_classifier.draw_names', lambda _: [1, 2, 3])
    losses = classifier.loss(images, (), SAMPLES, MaskTargets(VOCABULARY, instances))
    logits = classifier(
        images, (), [1e3 * (2 * gt.masks.float() - 1) for gt in instances], SAMPLES,
        [Vocabulary.from_string('crimson ball; star', 'sand')] * 2)
    first, second = (F.cross_entropy(of.logits, gt.labels, reduction='none')
                     for of, gt in zip(logits, instances, strict=True))
    expected = ((first[:2].mean() + first[2]) / 2 + second[0]) / 2
    torch.testing.assert_close(losses['loss_masks'], expected, rtol=1e-4, atol=1e-4)
    assert {*losses} == {'loss_masks', 'acc_masks'}


def test_every_trained_weight_has_a_gradient_and_no_other(classifier, images):
    """Also of a batch without a true mask, as a process of a distributed training may have it."""
    for instances in ([truth((0, 64, 0, 64, 0)), truth()], [truth(), truth()]):
        classifier.zero_grad()
        loss = classifier.loss(images, (), SAMPLES, MaskTargets(VOCABULARY, instances))
        loss['loss_masks'].backward()
        gradients = {name: p.grad for name, p in classifier.named_parameters()}
        assert {*gradients} == {
            'tuned.queries', 'tuned.values', 'tuned.positions', 'tuned.mask_scale',
            'similarity.weight'}
        assert all(gradient is not None for gradient in gradients.values())
        is_moved = {name for name, gradient in gradients.items() if gradient.any()}
        assert is_moved == (set(gradients) if len(instances[0]) else set())
    assert not any(p.requires_grad for p in classifier.clip.frozen.model.parameters())


def test_a_checkpoint_has_what_was_trained(classifier, clip_cfg, images):
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for weight in classifier.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=generator))
    other = TunedCLIPClassifier(clip_cfg, last_blocks=2)
    args = images, (), torch.randn(2, 4, 32, 32, generator=generator), SAMPLES, [VOCABULARY] * 2
    before = other(*args)
    other.load_state_dict(classifier.state_dict())
    for old, ours, theirs in zip(before, other(*args), classifier(*args), strict=True):
        assert torch.equal(ours.logits, theirs.logits)
        assert not torch.allclose(ours.logits, old.logits, atol=0.1)


def test_in_mixed_precision(classifier, images):
    """The frozen tower keeps its precision, and logits are computed in float32."""
    targets = MaskTargets(VOCABULARY, [truth((0, 64, 0, 64, 0)), truth((0, 32, 0, 64, 2))])
    torch.manual_seed(0)
    expected = classifier.loss(images, (), SAMPLES, targets)['loss_masks']
    torch.manual_seed(0)
    with torch.autocast('cpu', torch.bfloat16):
        found = classifier.loss(images, (), SAMPLES, targets)['loss_masks']
    torch.testing.assert_close(found, expected)


def test_names_are_drawn_of_each_class():
    drawn = {tuple(draw_names(VOCABULARY)) for _ in range(50)}
    assert drawn == {(0, 2, 3), (1, 2, 3)}


def test_masks_weigh_by_class():
    assert balance(torch.tensor([4, 4, 1])).tolist() == [0.25, 0.25, 0.5]
    assert balance(torch.zeros(0, dtype=torch.long)).tolist() == []
