"""Out-of-vocabulary scores by CLIP."""

import pytest
import torch
from mmdet.structures import DetDataSample

from mmodise.models import CLIPClassifier
from mmodise.vocabulary import Vocabulary


@pytest.fixture
def classifier(clip_cfg):
    return CLIPClassifier(clip_cfg)


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


def test_a_patch_is_visible_if_enough_of_it_is(clip_cfg):
    classifier = CLIPClassifier(clip_cfg, min_coverage=0.5)
    side = classifier.clip.image_size[0]
    logits = torch.full((3, side, side), -4.0)
    logits[0, 8:12, 16:32] = 3.0  # half of two patches in row 1
    logits[0, 12, 16:23] = 3.0
    logits[0, 8:11, 32:40] = 3.0  # three eighths of the next
    logits[1, 8:10, 16:24] = 3.0  # never half of one: most of the first
    logits[1, 8:9, 24:32] = 3.0
    visible = classifier.visible_patches(logits)
    assert visible[0].nonzero().tolist() == [[1, 2], [1, 3]]
    assert visible[1].nonzero().tolist() == [[1, 2]]
    assert not visible[2].any()
    with pytest.raises(ValueError, match='min_coverage=2 is not between 0 and 1'):
        CLIPClassifier(clip_cfg, min_coverage=2)


def test_how_much_of_a_patch_is_in_a_soft_mask(clip_cfg):
    """Bilinearly resized: what lies in the middle of a patch counts, from its four pixels."""
    classifier = CLIPClassifier(clip_cfg, soft_masks=True)
    side = classifier.clip.image_size[0]
    logits = torch.full((1, side, side), -1e3)
    logits[0, 8:12, 16:24] = 1e3  # the upper half of row 1, column 2
    logits[0, 11, 19] = 0.0
    patches = classifier.soft_patches(logits)
    assert patches.shape == (1, side // 8, side // 8)
    assert patches[0, 1, 2] == (0.5 + 1) / 4 and patches.sum() == patches[0, 1, 2]


@pytest.mark.parametrize(('settings', 'message'), [
    (dict(soft_masks=True, min_coverage=0.5), r'min_coverage=0\.5 says which .* how much of each'),
    (dict(last_blocks=99), r'last_blocks=99, and the image tower has \d blocks'),
    (dict(last_blocks=0), 'last_blocks=0')])
def test_switches_that_do_not_fit(clip_cfg, settings, message):
    with pytest.raises(ValueError, match=message):
        CLIPClassifier(clip_cfg, **settings)


def test_mixed_sizes_and_vocabularies_in_a_batch_equal_single_images(classifier):
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(2, 3, 128, 192, generator=generator)
    masks = torch.randn(2, 6, 32, 48, generator=generator)
    shapes = [(120, 180), (64, 192)]
    samples = [DetDataSample(metainfo=dict(img_shape=shape)) for shape in shapes]
    vocabularies = [Vocabulary.from_string('red ball; star', 'sand'),
                    Vocabulary.from_string('box, cube')]
    both = classifier(images, (), masks, samples, vocabularies)
    assert [tuple(scores.logits.shape) for scores in both] == [(6, 3), (6, 1)]
    fewer = classifier(images, (), [masks[0, :4], masks[1]], samples, vocabularies)
    torch.testing.assert_close(fewer[0].logits, both[0].logits[:4], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(fewer[1].logits, both[1].logits, rtol=1e-4, atol=1e-4)
    for i in range(2):
        one, = classifier(
            images[i:i + 1], (), masks[i:i + 1], samples[i:i + 1], vocabularies[i:i + 1])
        torch.testing.assert_close(both[i].logits, one.logits, rtol=1e-4, atol=1e-4)
        assert one.valid is None, 'CLIP looks at every mask'


def test_alignment_matters_only_with_padding(clip_cfg):
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(1, 3, 128, 128, generator=generator)
    masks = 4 * torch.randn(1, 6, 32, 32, generator=generator)
    vocabulary = [Vocabulary.from_string('red ball; star')]

    def logits(align, shape):
        sample = [DetDataSample(metainfo=dict(img_shape=shape))]
        classifier = CLIPClassifier(clip_cfg, align_masks=align)
        return classifier(images, (), masks, sample, vocabulary)[0].logits

    assert not torch.allclose(logits(True, (64, 100)), logits(False, (64, 100)))
    torch.testing.assert_close(logits(True, (128, 128)), logits(False, (128, 128)))
