"""Out-of-vocabulary scores by CLIP's head on the cells under a mask, and the padding they see."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from torch import nn

from mmodise.models import CLIPBackbone, GeometricEnsemble, PooledCLIPClassifier
from mmodise.models.data_preprocessor import PanopticDataPreprocessor
from mmodise.vocabulary import Vocabulary

VOCABULARY = Vocabulary.from_string('red ball, sphere; star', 'sand')
ON, OFF = 5.0, -5.0
BASE = Path(__file__).parents[2] / 'configs/_base_/models/fcclip.py'


@pytest.fixture
def clip(dense_clips):
    return dense_clips['convnext']


def rand(*size, seed=0):
    return torch.rand(size, generator=torch.Generator().manual_seed(seed))


def sample(height, width):
    return DetDataSample(metainfo=dict(img_shape=(height, width)))


def runs_of_tower(classifier):
    """A list that grows by the size of what the tower is given, each time that it runs."""
    seen = []
    classifier.clip.frozen.model.visual.trunk.stem.register_forward_pre_hook(
        lambda _, inputs: seen.append(tuple(inputs[0].shape[-2:])))
    return seen


def test_the_backbones_map_is_read_if_it_is_of_the_same_clip(clip, dense_clips):
    backbone, images = CLIPBackbone(clip), rand(2, 3, 64, 96)
    masks, samples = rand(2, 5, 16, 24, seed=1) - 0.5, [sample(64, 96), sample(64, 96)]
    features, results = backbone(images), []
    for neck, other, scale, reads in (
            (None, backbone, 1, True), (nn.Identity(), backbone, 1, False),
            (None, CLIPBackbone(dense_clips['resnet']), 1, False), (None, backbone, 2.0, False)):
        classifier = PooledCLIPClassifier(clip, scale=scale)
        classifier.connect(other, neck)
        assert classifier.reads_backbone == reads
        seen = runs_of_tower(classifier)
        embedded = classifier.embed(images, features, masks, samples)
        assert seen == [] if reads else seen == [(64 * scale, 96 * scale)] * 2
        if scale == 1:
            results.append(embedded)
            for ours, theirs in zip(embedded, results[0], strict=True):
                torch.testing.assert_close(ours.embeddings, theirs.embeddings)
                assert torch.equal(ours.covers, theirs.covers)


def test_the_detector_runs_the_tower_once(clip):
    """Backbone, classifier and head name one CLIP; the features of one pass serve all."""
    model = MODELS.build(small_fcclip(clip)).eval()
    model.panoptic_head.mask_embed[-1].bias.data.fill_(0.1)
    seen = runs_of_tower(model.classifier)
    data = model.data_preprocessor(dict(
        inputs=[(255 * rand(3, 50, 70)).byte()],
        data_samples=[DetDataSample(metainfo=dict(img_shape=(50, 70), ori_shape=(50, 70)))]))
    with torch.no_grad():
        result, = model.predict(data['inputs'], data['data_samples'])
    assert seen == [(64, 96)] and result.pred_panoptic_seg.sem_seg.shape == (1, 50, 70)
    assert torch.equal(  # padded with what is 0 to CLIP
        model.backbone.clip._normalize(data['inputs'])[0, :, 50:], torch.zeros(3, 14, 96))


def small_fcclip(clip):
    cfg = Config.fromfile(BASE).model
    cfg.panoptic_head.update(in_channels=[8, 16, 24, 32], num_queries=4, vocabulary=dict(
        thing_classes=['ball'], stuff_classes=['sand']))
    cfg.panoptic_head.pixel_decoder.encoder.num_layers = 1
    cfg.panoptic_head.transformer_decoder.num_layers = 1
    for part in (cfg.backbone, cfg.panoptic_head, cfg.classifier):
        part.clip = clip
    return cfg


def test_a_clip_of_another_width_is_refused_when_the_model_is_built(clip, dense_clips):
    cfg = small_fcclip(clip)
    cfg.backbone.clip = dense_clips['resnet']
    with pytest.raises(ValueError, match=(
            r'CLIPBackbone, gives maps of the widths \[32, 64, 128, 256\].*in_channels=\[8, 16')):
        MODELS.build(cfg)


def test_own_maps_are_of_each_image_without_padding(clip):
    """Sizes of which neither the batch's nor the image's is a multiple of 32."""
    classifier, generator = PooledCLIPClassifier(clip), torch.Generator().manual_seed(0)
    image = torch.rand(3, 80, 100, generator=generator)
    logits = torch.randn(6, 2, 2, generator=generator)
    masks = F.interpolate(logits[None], (96, 128), mode='bilinear')[0]
    embedded = []
    for height, width in ((80, 100), (96, 128), (90, 127)):
        batch = torch.rand(1, 3, height, width, generator=generator)
        batch[0, :, :80, :100] = image
        seen = runs_of_tower(classifier)
        result, = classifier.embed(batch, (), [masks[:, :height, :width]], [sample(80, 100)])
        assert seen[-1] == (96, 128)
        embedded.append(result.embeddings)
    for other in embedded[1:]:
        torch.testing.assert_close(other, embedded[0], rtol=1e-3, atol=1e-3)


def test_a_picture_smaller_than_a_cell_is_a_cell(clip):
    embedded, = PooledCLIPClassifier(clip).embed(
        rand(1, 3, 64, 64), (), torch.full((1, 1, 8, 8), ON), [sample(20, 9)])
    assert embedded.covers.tolist() == [True] and embedded.embeddings.isfinite().all()


def test_hard_and_soft_cells(clip):
    masks = torch.full((2, 4, 8), OFF)  # of a map of 2 x 4 cells
    masks[0, :2, 2:4] = ON  # one cell
    masks[1, 0, :2] = 4.0  # a third of another: the mean of its logits is under 0
    hard, soft = (PooledCLIPClassifier(clip, pooling=pooling) for pooling in ('hard', 'soft'))
    cells = hard.cells(masks, (2, 4))
    assert cells.nonzero().tolist() == [[0, 0, 1]]
    shares = soft.cells(masks, (2, 4))
    probabilities = masks.sigmoid()
    assert shares[0, 0, 1] == pytest.approx(probabilities[0, 0, 2].item())
    assert shares[1, 0, 0] == pytest.approx(probabilities[1, :2, :2].mean().item())
    dense = rand(32, 2, 4)
    _, covers = hard._embed(dense, cells)
    assert covers.tolist() == [True, False]
    assert soft._embed(dense, shares).covers.tolist() == [True, False]
    with pytest.raises(ValueError, match=r"pooling='mean' is not one of hard, soft"):
        PooledCLIPClassifier(clip, pooling='mean')
    with pytest.raises(ValueError, match='scale=0 is not above 0'):
        PooledCLIPClassifier(clip, scale=0)


def test_scores_are_of_the_best_name_at_clips_temperature(clip):
    classifier = PooledCLIPClassifier(clip, valid_only=True)
    embedded, = classifier.embed(
        rand(1, 3, 64, 64), (), torch.tensor([ON, OFF]).view(1, 2, 1, 1).expand(1, 2, 16, 16),
        [sample(64, 64)])
    scores, = classifier.score([embedded], [VOCABULARY])
    names = classifier.clip.encode_names(VOCABULARY, classifier.prompt)
    assert len(classifier.prompt) == 14 and names.norm(dim=-1).tolist() == pytest.approx([1] * 4)
    cosine = F.normalize(embedded.embeddings, dim=-1) @ names.t()
    expected = classifier.clip.logit_scale * torch.stack(
        [cosine[:, :2].amax(1), cosine[:, 2], cosine[:, 3]], dim=1)
    torch.testing.assert_close(scores.logits, expected, rtol=1e-4, atol=1e-5)
    assert scores.valid.tolist() == [True, False]
    in_vocabulary = torch.randn(2, 4, generator=torch.Generator().manual_seed(0))
    fused = GeometricEnsemble(1.0, 1.0)(in_vocabulary, *scores[:1], (True, ) * 3, scores.valid)
    torch.testing.assert_close(fused[1].softmax(0), in_vocabulary[1].softmax(0))
    classifier.valid_only = False
    assert classifier.score([embedded], [VOCABULARY])[0].valid is None


def test_templates_need_a_place_for_the_name(clip):
    with pytest.raises(ValueError, match=r"template 'a photo' does not say where the name goes"):
        PooledCLIPClassifier(clip, prompt=['a photo of a {}.', 'a photo'])


def test_padding_has_a_colour():
    colour = [0.5, 0.25, 0.75]
    settings = dict(mean=[0, 0, 0], std=[255] * 3, bgr_to_rgb=True, pad_size_divisor=32)
    preprocessor = PanopticDataPreprocessor(**settings, pad_colour=colour)
    inputs = [torch.full((3, 32, 40), 255, dtype=torch.uint8),
              torch.zeros(3, 20, 33, dtype=torch.uint8)]
    batch = preprocessor(dict(inputs=inputs, data_samples=None))['inputs']
    assert batch.shape == (2, 3, 32, 64)
    assert batch[0, :, :, :40].unique().tolist() == [1] and not batch[1, :, :20, :33].any()
    outside = torch.ones(2, 32, 64, dtype=torch.bool)
    outside[0, :, :40] = outside[1, :20, :33] = False
    for channel, value in enumerate(colour):
        assert batch[:, channel][outside].unique().tolist() == [value]
    with pytest.raises(ValueError, match='three numbers, R, G, B'):
        PanopticDataPreprocessor(**settings, pad_colour=[0.5])
