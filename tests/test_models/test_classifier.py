"""CLIP's opinion, and the fusion of two opinions worked out by hand."""

import pytest
import torch
from mmdet.structures import DetDataSample

from mmodise.models import CLIPClassifier
from mmodise.vocabulary import Vocabulary


@pytest.fixture
def classifier(clip_cfg):
    return CLIPClassifier(clip_cfg, alpha=0.25, beta=0.5)


def test_combine_by_hand(classifier):
    # head: p = (0.8, 0.2) over the classes, "no object" 0.5; CLIP: p = (0.1, 0.9)
    head = torch.tensor([[0.4, 0.1, 0.5]]).log()
    clip = torch.tensor([[0.1, 0.9]]).log()
    # class 0 is seen: 0.8^0.75 * 0.1^0.25, class 1 is not: 0.2^0.5 * 0.9^0.5
    a, b = 0.8**0.75 * 0.1**0.25, (0.2 * 0.9)**0.5
    expected = torch.tensor([[0.5 * a / (a + b), 0.5 * b / (a + b), 0.5]])
    combined = classifier.combine(head, clip, (True, False))
    torch.testing.assert_close(combined.softmax(-1), expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(combined.exp(), expected, rtol=1e-5, atol=1e-6)


def test_combine_survives_certainty(classifier):
    head = torch.tensor([[200.0, -200.0, -200.0]])
    clip = torch.tensor([[-300.0, 300.0]])
    combined = classifier.combine(head, clip, (True, False))
    assert torch.isfinite(combined).all()


def test_a_patch_is_visible_if_any_of_it_is(classifier):
    side = classifier.clip.image_size[0]
    last = side // 8 - 1
    logits = torch.full((2, side, side), -4.0)  # CLIP's own size, patches of 8
    logits[0, 8:10, 23] = 3.0  # row 1, column 2
    logits[1, -1, -1] = 0.0  # a probability of exactly 0.5
    visible = classifier.visible_patches(logits)
    assert visible.shape == (2, last + 1, last + 1)
    assert visible[0].nonzero().tolist() == [[1, 2]]
    assert visible[1].nonzero().tolist() == [[last, last]]


def test_mixed_sizes_and_vocabularies_in_a_batch_equal_single_images(classifier):
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(2, 3, 128, 192, generator=generator)
    masks = torch.randn(2, 6, 32, 48, generator=generator)
    shapes = [(120, 180), (64, 192)]
    samples = [DetDataSample(metainfo=dict(img_shape=shape)) for shape in shapes]
    vocabularies = [Vocabulary.from_string('red ball; star', 'sand'),
                    Vocabulary.from_string('box, cube')]
    both = classifier(images, masks, samples, vocabularies)
    assert [tuple(logits.shape) for logits in both] == [(6, 3), (6, 1)]
    for i in range(2):
        one, = classifier(images[i:i + 1], masks[i:i + 1], samples[i:i + 1], vocabularies[i:i + 1])
        torch.testing.assert_close(both[i], one, rtol=1e-4, atol=1e-4)


def test_alignment_matters_only_with_padding(clip_cfg):
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(1, 3, 128, 128, generator=generator)
    masks = 4 * torch.randn(1, 6, 32, 32, generator=generator)
    vocabulary = [Vocabulary.from_string('red ball; star')]

    def logits(align, shape):
        sample = [DetDataSample(metainfo=dict(img_shape=shape))]
        classifier = CLIPClassifier(clip_cfg, align_masks=align)
        return classifier(images, masks, sample, vocabulary)[0]

    assert not torch.allclose(logits(True, (64, 100)), logits(False, (64, 100)))
