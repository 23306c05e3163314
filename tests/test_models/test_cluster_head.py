"""Masks from clusters of features, and what the detector makes of them."""

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict

from mmodise.models import ODISE, ClusterHead, MaskScores, PixelBackbone
from mmodise.models.observation import Scores

VOCABULARY = dict(thing_classes=('ball', 'box'), stuff_classes=('sand', 'sky'))
METHODS = [dict(method='kmeans', num_clusters=3), dict(method='normalized_cut', power=4, tau=0.4)]


def sample(height, width, padded=(32, 48)):
    sample = DetDataSample()
    sample.set_metainfo(dict(
        img_shape=(height, width), ori_shape=(height, width), batch_input_shape=padded))
    return sample


def scene():
    """Two red squares on blue, left of green; 32 x 48 pixels."""
    image = torch.zeros(1, 3, 32, 48)
    image[:, 2, :, :32], image[:, 1, :, 32:] = 1, 1
    for x in (4, 20):
        image[:, 2, 12:20, x:x + 8] = 0
        image[:, 0, 12:20, x:x + 8] = 1
    return image


def build(**kwargs):
    return ClusterHead(VOCABULARY, **{'stride': 4, 'min_size': 0.0, **kwargs})


def areas(found):
    return sorted((found.masks[0] > 0).flatten(1).sum(1).tolist())


@pytest.mark.parametrize('settings', METHODS)
def test_connected_parts_of_clusters_are_masks(settings):
    maps = PixelBackbone(strides=(4, ))(scene())
    found = build(**settings).find(maps, [sample(32, 48)])
    assert found.in_vocabulary is None and found.objectness is None
    masks = found.masks[0]
    assert masks.shape == (4, 8, 12) and set(masks.unique().tolist()) == {-10, 10}
    assert ((masks > 0).sum(0) == 1).all()
    assert areas(found) == [4, 4, 32, 56]
    again = build(**settings).find(maps, [sample(32, 48)])
    assert torch.equal(masks, again.masks[0])


def test_small_parts_go_to_their_neighbours():
    found = build(num_clusters=3, min_size=0.06).find((scene()[:, :, ::4, ::4], ), [sample(32, 48)])
    assert areas(found) == [32, 64]  # a square is 4 of 96 cells


def test_like_neighbours_are_joined():
    image = scene()
    image[:, 2, :16, 32:] = 0.2  # greens that are nearly the same
    maps = (image[:, :, ::4, ::4], )
    assert areas(build(num_clusters=4).find(maps, [sample(32, 48)])) == [4, 4, 16, 16, 56]
    assert areas(build(num_clusters=4, min_cosine=0.9).find(maps, [sample(32, 48)])) == [
        4, 4, 32, 56]


def test_maps_of_several_strides_count_by_their_weights():
    fine = scene()[:, :, ::4, ::4]
    coarse = torch.zeros(1, 2, 4, 6)
    coarse[:, 0, :2], coarse[:, 1, 2:] = 1, 1  # above and below, invisible in colours
    head = build(num_clusters=2, weights=(0.1, 1.0))
    masks = head.find((fine, coarse), [sample(32, 48)]).masks[0]
    assert areas(head.find((fine, coarse), [sample(32, 48)])) == [48, 48]
    assert (masks[0, :4] == masks[0, 0, 0]).all()
    with pytest.raises(ValueError, match=r'weights=\[1\], and the backbone gives 2 maps'):
        build(weights=[1]).find((fine, coarse), [sample(32, 48)])


def test_padding_is_no_part_of_the_clusters():
    image = scene()
    image[:, :, 24:], image[:, :, :, 40:] = 0.5, 0.5
    found = build(num_clusters=3).find((image[:, :, ::4, ::4], ), [sample(24, 38)])
    masks = found.masks[0]
    assert masks.shape[1:] == (8, 12) and len(masks) == 4
    # what is at the border goes on behind it, so that it is not weakened there
    assert torch.equal(masks[:, :, 10:], masks[:, :, 9:10].expand(-1, -1, 2))
    assert torch.equal(masks[:, 6:], masks[:, 5:6].expand(-1, 2, -1))


def test_images_of_a_batch_do_not_meet():
    images = torch.cat([scene(), scene().flip(3)])
    head, samples = build(num_clusters=3), [sample(32, 48)] * 2
    one, other = head.find((images[:, :, ::4, ::4], ), samples).masks
    assert torch.equal(one, head.find((images[:1, :, ::4, ::4], ), samples[:1]).masks[0])
    assert areas(head.find((images[1:, :, ::4, ::4], ), samples[1:])) == [4, 4, 32, 56]
    assert other[:, 0, 0].argmax() != other[:, 0, -1].argmax()


def test_masks_are_refined_by_the_colours_of_the_image():
    image = torch.zeros(1, 3, 32, 48)
    image[:, 0, :, :19], image[:, 2, :, 19:] = 1, 1  # no border of cells
    head = build(stride=8, num_clusters=2, refine=dict(iterations=10))
    maps = PixelBackbone(strides=(1, 8))(image)
    masks = head.find(maps, [sample(32, 45)]).masks[0]
    assert masks.shape == (2, 32, 48)
    assert (masks.argmax(0)[:, :45] == torch.arange(45).ge(19).long()).all()
    with pytest.raises(ValueError, match='refine needs the images as the first of several maps'):
        head.find(maps[1:], [sample(32, 48)])


@pytest.mark.parametrize(('settings', 'message'), [
    (dict(method='k-means'), "method='k-means'; give one of kmeans, normalized_cut"),
    (dict(min_size=2), 'min_size=2 is no share'),
])
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(ValueError, match=message):
        build(**settings)


@pytest.mark.parametrize(('settings', 'message'), [
    (dict(num_clusters=97), r'32 x 48 pixels has 96 cells of stride 4, and num_clusters=97 is more'
     r'. Set fewer clusters, or a smaller stride'),
    (dict(method='normalized_cut', max_cells=90),
     r'96 cells .* takes 0 MiB, .* limit is max_cells=90 .* Set a larger stride, smaller images'),
])
def test_images_that_do_not_fit(settings, message):
    with pytest.raises(ValueError, match=message):
        build(**settings).find((scene()[:, :, ::4, ::4], ), [sample(32, 48)])


def test_it_is_not_trained():
    with pytest.raises(RuntimeError, match='ClusterHead is not trained'):
        build().loss((scene(), ), [sample(32, 48)])


@pytest.fixture
def model():
    """Clusters of colours without a classifier."""
    return MODELS.build(ConfigDict(
        type='ODISE',
        data_preprocessor=dict(type='DetDataPreprocessor'),
        backbone=dict(type='PixelBackbone', strides=(4, )),
        panoptic_head=dict(type='ClusterHead', vocabulary=VOCABULARY, num_clusters=3, stride=4,
                           min_size=0.0),
        panoptic_fusion_head=dict(type='OpenVocabularyFusionHead'),
        test_cfg=dict(object_mask_thr=0.1, instance_on=True, semantic_on=True)))


def test_parts_of_one_stuff_are_one_segment_and_of_one_thing_two(model):
    samples = [sample(32, 48)]
    with torch.no_grad():
        observation = model.observe(scene(), samples)
    vocabularies = [model.panoptic_head.vocabulary]
    scores = model.score(observation, samples, vocabularies)
    with pytest.raises(ValueError, match='ClusterHead gives masks without names, and there is no'):
        model.fuse(scores)
    masks = scores.predictions.masks[0]
    is_square = (masks > 0).flatten(1).sum(1) == 4
    for square, ground, number in (('ball', 'sand', 3), ('sky', 'sand', 2), ('sky', 'ball', 3)):
        names = [(*VOCABULARY['thing_classes'], *VOCABULARY['stuff_classes']).index(name)
                 for name in (square, ground)]
        logits = torch.full((4, 4), -5.0)
        logits[is_square, names[0]] = logits[~is_square, names[1]] = 5.0
        named = Scores(vocabularies, scores.predictions, [MaskScores(logits)])
        segments = ODISE.segment(model, named, samples)[0]
        assert len(segments.labels) == number
        assert segments.ids.shape == (32, 48) and (segments.ids > 0).all()


def test_nothing_in_it_is_trained_or_saved(model):
    assert not [*model.parameters()] and not model.state_dict()
