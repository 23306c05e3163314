"""The detector: what goes in and comes out, and its size."""

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData, PixelData
from torch.utils._python_dispatch import TorchDispatchMode

from mmodise.benchmark.small_models import CLIP_CONFIG, build_clip, save_clip
from mmodise.models import (
    ImplicitCaptioner,
    MaskClassifier,
    MaskPredictions,
    MaskScores,
    MaskSource,
)
from mmodise.models.backbones.diffusion_backbone import _projection
from mmodise.models.extractors.residual_blocks import tap_blocks
from mmodise.vocabulary import Vocabulary

MODEL_CONFIGS = Path(__file__).parents[2] / 'configs/_base_/models'
TRAINING = dict(thing_classes=('red ball, red sphere', 'blue box'), stuff_classes=('sand', ))
SIZES = [(128, 128), (64, 96)]  # of the images of a batch, before padding


@pytest.fixture(scope='module')
def model(small_models):
    return build(small_models)


def build(small_models, without=(), **kwargs):
    init_default_scope('mmdet')
    cfg = Config.fromfile(MODEL_CONFIGS / 'odise_small.py').model
    clip = dict(cfg.classifier.clip, model=str(small_models / 'clip'))
    cfg.backbone.extractor.pretrained = str(small_models / 'stable_diffusion')
    cfg.backbone.captioner.clip = cfg.panoptic_head.clip = cfg.classifier.clip = clip
    cfg.panoptic_head.vocabulary = TRAINING
    for key in (*without, *kwargs):
        cfg.pop(key, None)
    cfg.update(kwargs)
    cfg.test_cfg.iou_thr = 0.05  # the masks of a model that has learned nothing overlap
    model = MODELS.build(cfg).eval()
    randomize(model)
    return model


@torch.no_grad()
def randomize(model):
    """Draw weights that tell pixels, queries and classes apart; initial ones hardly do."""
    torch.manual_seed(0)
    for name, parameter in model.named_parameters():
        if name.endswith('bias'):
            torch.nn.init.zeros_(parameter)
        elif parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
        else:
            torch.nn.init.normal_(parameter, mean=1.0, std=0.1)
    head = model.panoptic_head
    torch.nn.init.normal_(head.query_feat.weight)
    torch.nn.init.normal_(head.query_embed.weight)
    torch.nn.init.constant_(head.mask_embedding.log_scale, 2.0)
    head.no_object.copy_(head.clip.encode_texts(head.vocabulary.names).sum(0, keepdim=True))


def batch(indices=(0, 1), texts=((None, None), (None, None))):
    """What the data preprocessor makes of images: padded with zeros to multiples of 64."""
    images = torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    images[1, :, 64:] = images[1, :, :, 96:] = 0
    samples = []
    for i in indices:
        sample = DetDataSample(metainfo=dict(
            batch_input_shape=(128, 128), img_shape=SIZES[i],
            ori_shape=(2 * SIZES[i][0], 2 * SIZES[i][1])))
        for key, value in zip(('text', 'stuff_text'), texts[i], strict=True):
            if value is not None:
                sample.set_metainfo({key: value})
        samples.append(sample)
    return images[list(indices)], samples


@torch.no_grad()
def predict(model, *args, **kwargs):
    return model.predict(*batch(*args), **kwargs)


def assert_same(one, other):
    """Equal results, but for pixels and scores on the edge."""
    for ours, theirs in ((one.pred_panoptic_seg, other.pred_panoptic_seg),
                         (one.pred_sem_seg, other.pred_sem_seg)):
        assert (ours.sem_seg == theirs.sem_seg).float().mean() > 0.999
    ours, theirs = (s.pred_instances.scores.sort(descending=True)[0][:50] for s in (one, other))
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def test_results_are_of_the_original_size(model):
    samples = predict(model)
    segments = torch.cat([s.pred_panoptic_seg.sem_seg.unique() for s in samples])
    assert len(segments.unique()) > 1, 'the model sees something'
    for i, sample in enumerate(samples):
        size = (2 * SIZES[i][0], 2 * SIZES[i][1])
        assert sample.pred_panoptic_seg.sem_seg.shape == (1, *size)
        assert sample.pred_sem_seg.sem_seg.shape == (1, *size)
        assert sample.pred_instances.masks.shape[1:] == size
        assert set(sample.pred_sem_seg.sem_seg.unique().tolist()) <= {0, 1, 2}
        assert set(sample.pred_instances.labels.tolist()) <= {0, 1}, 'things only'
        assert sample.pred_panoptic_seg.ignore_index == 3
    for i, sample in enumerate(predict(model, rescale=False)):
        assert sample.pred_sem_seg.sem_seg.shape == (1, *SIZES[i])


def test_a_mixed_batch_equals_single_images(model):
    texts = (('star; red ball', 'grass, lawn; sand; sky'), (('heart', ), None))
    both = predict(model, (0, 1), texts)
    assert both[0].pred_panoptic_seg.label_names == ['star', 'red ball', 'grass', 'sand', 'sky']
    assert both[1].pred_panoptic_seg.label_names == ['heart']
    for i in range(2):
        alone, = predict(model, (i, ), texts)
        alone.pred_panoptic_seg.sem_seg[alone.pred_panoptic_seg.sem_seg == 1 + 4 * (1 - i)] = 5
        assert_same(both[i], alone)


def test_without_text_the_training_vocabulary_is_looked_for(model):
    explicit = (('red ball, red sphere; blue box', 'sand'), ) * 2
    for ours, theirs in zip(predict(model), predict(model, (0, 1), explicit), strict=True):
        assert ours.pred_panoptic_seg.label_names == ['red ball', 'blue box', 'sand']
        assert_same(ours, theirs)


def test_stuff_alone_is_a_vocabulary(model):
    sample, = predict(model, (0, ), ((None, 'sand; sky'), ))
    assert sample.pred_panoptic_seg.label_names == ['sand', 'sky']
    assert len(sample.pred_instances.labels) == 0


def test_the_classifier_counts_as_alpha_and_beta_say(small_models, model):
    """Without any say, CLIP changes nothing; with all of it, scores are CLIP's alone."""
    without = build(small_models, classifier=None)
    assert without.classifier is None
    without.load_state_dict(model.state_dict())
    expected = predict(without)
    alpha = model.ensemble.alpha
    model.ensemble.alpha = 0.0  # both images are labelled with the training vocabulary
    silent = predict(model)
    model.ensemble.alpha = 1.0
    loud = predict(model)
    model.ensemble.alpha = alpha
    for one, other, loudest in zip(expected, silent, loud, strict=True):
        assert_same(one, other)
        assert not torch.allclose(scores(one), scores(loudest), atol=1e-2)


def scores(sample):
    return sample.pred_instances.scores.sort(descending=True)[0][:20]


def test_the_inferencer_is_told_of_the_vocabulary(model):
    model.dataset_meta = dict(classes=('red ball', 'blue box', 'sand'), palette=[(1, 2, 3)] * 3)
    predict(model)
    assert model.dataset_meta['palette'] == [(1, 2, 3)] * 3, 'the same classes'
    predict(model, (0, 1), (('star', None), ('star; ring, hoop', 'sky')))
    assert model.dataset_meta['classes'] == ('star', 'ring', 'sky')
    assert model.dataset_meta['palette'] != [(1, 2, 3)] * 3
    del model.dataset_meta


def test_vocabulary_of_a_sample(model):
    _, (first, second) = batch((0, 1), (('cat . dog .', 'sky'), (None, None)))
    assert model.vocabulary_of(first) == Vocabulary.from_string('cat; dog', 'sky')
    assert model.vocabulary_of(second) is model.panoptic_head.vocabulary


def test_a_sample_carries_its_vocabulary(model):
    """It comes before text, and no parser sees it: a name may hold what would separate names."""
    images, samples = batch((0, ), (('cat', None), ))
    vocabulary = Vocabulary((('red, or blue, ball', ), ), (('sand', ), ))
    samples[0].set_metainfo(dict(vocabulary=vocabulary))
    assert model.vocabulary_of(samples[0]) == vocabulary
    with torch.no_grad():
        result, = model.predict(images, samples)
    assert result.pred_panoptic_seg.label_names == ['red, or blue, ball', 'sand']


def test_a_vocabulary_that_is_none_is_named(model):
    _, (sample, ) = batch((0, ))
    sample.set_metainfo(dict(img_path='val/7.jpg', vocabulary='cat; dog'))
    message = r"val/7\.jpg brings .*vocabulary='cat; dog': .* is a str, not a Vocabulary"
    with pytest.raises(ValueError, match=message):
        model.vocabulary_of(sample)


@pytest.mark.parametrize(('classifier', 'ensemble', 'expected'), [
    (dict(alpha=0.2, beta=0.9), None, (0.2, 0.9)),  # configs of before the ensemble
    (dict(alpha=0.2), None, (0.2, 0.7)),
    ({}, None, (0.3, 0.7)),
    ({}, dict(alpha=0.1, beta=0.5), (0.1, 0.5)),
    (dict(beta=0.9), dict(alpha=0.1, beta=0.5), (0.1, 0.9))])  # --cfg-options of before
def test_where_alpha_and_beta_come_from(
    small_models, model, log, classifier, ensemble, expected
):
    clip = dict(type='FrozenCLIP', model=str(small_models / 'clip'))
    found = build(
        small_models, without=() if ensemble else ('ensemble', ),
        classifier=dict(type='CLIPClassifier', clip=clip, **classifier),
        ensemble=dict(type='GeometricEnsemble', **ensemble or {})).ensemble
    assert (found.alpha, found.beta) == expected
    conflict = 'model.classifier.beta=0.9 counts, and model.ensemble.beta=0.5 does not'
    assert (conflict in log.text) == (expected == (0.1, 0.9))


@MODELS.register_module()
class TrainedOnTrueMasks(MaskClassifier):
    """Keeps what it is given in training."""

    trains = True

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))

    def forward(self, images, features, masks, batch_data_samples, vocabularies):
        return [MaskScores(self.weight * torch.randn(len(m), len(v)))
                for m, v in zip(masks, vocabularies, strict=True)]

    def loss(self, images, features, batch_data_samples, targets):
        self.given = images, features, targets
        return dict(loss=self.weight * sum(len(true) for true in targets.instances), hits=1)


def with_truth(samples):
    """A thing in the left upper corner of the first image; the rest is stuff."""
    for i, sample in enumerate(samples):
        masks = np.zeros((1 - i, 128, 128), dtype=np.uint8)
        masks[:, :64, :64] = 1
        sample.gt_instances = InstanceData(
            labels=torch.ones(1 - i, dtype=torch.long), masks=BitmapMasks(masks, 128, 128))
        semantic = torch.full((1, 128, 128), 2)
        semantic[:, torch.from_numpy(masks).bool().any(0)] = 1
        sample.gt_sem_seg = PixelData(sem_seg=semantic)
    return samples


def test_a_classifier_may_train(small_models):
    model = build(small_models, classifier=dict(type='TrainedOnTrueMasks')).train()
    images, samples = batch()
    losses = model.loss(images, with_truth(samples))
    given, features, targets = model.classifier.given
    assert given is images and [f.shape[-1] for f in features] == [32, 16, 8, 4]
    losses['classifier.loss'].backward()
    assert model.classifier.weight.grad == 3, 'true masks'
    assert {'loss_cls', 'd0.loss_mask', 'classifier.hits'} < losses.keys()
    assert targets.vocabulary == model.panoptic_head.vocabulary
    assert [true.labels.tolist() for true in targets.instances] == [[1, 2], [2]]
    assert targets.instances[0].masks.sum((1, 2)).tolist() == [64 * 64, 128 * 128 - 64 * 64]
    assert targets.predictions.masks.requires_grad
    for matches, number in zip(targets.matches, (2, 1), strict=True):
        assert sorted(matches[matches >= 0].tolist()) == [*range(number)]


def test_a_classifier_may_train_alone(small_models):
    """Nothing else is computed, changed or in training mode; its true masks are the head's."""
    clip = dict(type='FrozenCLIP', model=str(small_models / 'clip'))
    tuned = dict(type='TunedCLIPClassifier', clip=clip, last_blocks=2)
    model = build(small_models, classifier=tuned, train_classifier_only=True).train()
    images, samples = batch()
    losses = model.loss(images, with_truth(samples))
    assert {*losses} == {'classifier.loss_masks', 'classifier.acc_masks'}
    losses['classifier.loss_masks'].backward()
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert trained == {name for name, p in model.named_parameters() if p.grad is not None}
    assert {name.split('.')[0] for name in trained} == {'classifier'}
    assert model.classifier.training and not any(
        part.training for part in (model.backbone, *model.panoptic_head.modules()))
    with_head = build(small_models, classifier=tuned).train().loss(images, with_truth(samples))
    assert {'loss_cls', 'classifier.loss_masks'} < with_head.keys()
    with pytest.raises(ValueError, match=r'learns from true masks.* this one is CLIPClassifier'):
        build(small_models, train_classifier_only=True)


class OnlyMasks(MaskSource):
    """As many masks per image as there are samples before it."""

    def __init__(self, vocabulary, objectness=None):
        super().__init__()
        self.vocabulary, self.objectness = vocabulary, objectness

    def predict(self, x, batch_data_samples, vocabularies):
        masks = [torch.full((i, 32, 32), 5.0) for i, _ in enumerate(batch_data_samples)]
        return MaskPredictions(masks, objectness=self.objectness)


@torch.no_grad()
def test_masks_without_names(small_models):
    """Named by the classifier alone; an image may have none; objectness is what is left of it."""
    model = build(small_models)
    model.panoptic_head = OnlyMasks(Vocabulary.from_string('red ball; star'))
    images, samples = batch()
    scores = model.predict_scores(images, samples)
    none, one = model.fuse(scores)
    assert none.shape == (0, 3)
    names = scores.out_of_vocabulary[1].logits.softmax(-1)
    torch.testing.assert_close(one[:, :2].exp(), names, rtol=1e-4, atol=1e-5)
    empty, full = model.make_results(scores, samples)
    assert (empty.pred_panoptic_seg.sem_seg == 2).all(), 'void'
    assert full.pred_panoptic_seg.sem_seg.unique().tolist() == [1000 + int(names.argmax())]
    model.panoptic_head.objectness = [torch.zeros(0), torch.tensor([0.25])]
    one = model.fuse(model.predict_scores(images, samples))[1]
    torch.testing.assert_close(one[:, :2].exp(), 0.25 * names, rtol=1e-4, atol=1e-5)
    model.classifier = None
    with pytest.raises(ValueError, match='OnlyMasks gives masks without names'):
        model.predict(images, samples)


@pytest.mark.parametrize('texts', [('', None), ((), ()), (None, ' ; ')])
def test_a_sample_without_classes_is_named(model, texts):
    images, samples = batch((0, 1), ((None, None), texts))
    samples[1].set_metainfo(dict(img_path='val/7.jpg'))
    message = r'image val/7\.jpg brings classes that cannot be used, text=.*, stuff_text='
    with pytest.raises(ValueError, match=message):
        model.predict(images, samples)


def test_too_many_classes_are_refused_before_the_networks_run(model, monkeypatch):
    monkeypatch.setattr(type(model.backbone), 'forward', None)
    many = [f'class {i}' for i in range(1000)]
    with pytest.raises(ValueError, match='has 1000 classes'):
        predict(model, (0, ), ((many, None), ))


def test_the_smallest_and_the_longest_image(model):
    """One pixel, and 20 x 2000: as the data pipeline hands them over, and back in their size."""
    sizes = [(1, 1), (20, 2000)]
    generator = torch.Generator().manual_seed(0)
    inputs = [torch.randint(256, (3, *size), dtype=torch.uint8, generator=generator)
              for size in sizes]
    samples = [DetDataSample(metainfo=dict(img_shape=size, ori_shape=size)) for size in sizes]
    for size, image, sample in zip(sizes, inputs, samples, strict=True):
        result, = model.test_step(dict(inputs=[image], data_samples=[sample]))
        assert result.pred_panoptic_seg.sem_seg.shape == (1, *size)
        assert result.pred_sem_seg.sem_seg.shape == (1, *size)
        assert result.pred_instances.masks.shape[1:] == size
        assert result.pred_instances.scores.isfinite().all()


class Waiting(TorchDispatchMode):
    """Notes operations for which a GPU would have to be waited for."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func._schema.name
        masks = name == 'aten::index' and any(
            i is not None and i.dtype == torch.bool for i in args[1])
        if masks or name in ('aten::_local_scalar_dense', 'aten::nonzero', 'aten::_unique2'):
            self.found.append(name)
        return func(*args, **(kwargs or {}))


@torch.no_grad()
def test_our_networks_wait_for_nothing(model):
    images, samples = batch((0, 1), (('star, asterisk; ring', 'sky'), ('heart', None)))
    vocabularies = [model.vocabulary_of(sample) for sample in samples]
    masks = torch.randn(2, 20, 32, 32)
    with Waiting() as waiting:
        features = model.backbone(images)
        out_of_vocabulary = model.classifier(images, features, masks, samples, vocabularies)
        for vocabulary, scores in zip(vocabularies, out_of_vocabulary, strict=True):
            logits = model.panoptic_head.classify(torch.randn(20, 128), vocabulary)
            model.ensemble(logits, scores.logits, vocabulary.seen_in(vocabularies[0]))
        assert not waiting.found
        int(masks.argmax())
        assert waiting.found, 'it would be noted'


# The full size, as the official release (method, sections 3 and 8).


def count(*modules):
    return sum(p.numel() for module in modules for p in module.parameters())


def test_maps_of_the_full_size_stable_diffusion():
    with torch.device('meta'):
        unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768)
        vae = AutoencoderKL(
            down_block_types=('DownEncoderBlock2D', ) * 4,
            up_block_types=('UpDecoderBlock2D', ) * 4,
            block_out_channels=(128, 256, 512, 512), layers_per_block=2)
    assert (count(unet), count(vae)) == (859_520_964, 83_653_863)
    for levels, blocks, expected in (
            (vae.encoder.down_blocks, (5, 7), [(5, 2, 512), (7, 3, 512)]),
            (unet.up_blocks, (2, 5, 8, 11), [
                (2, 0, 2560), (5, 1, 1920), (8, 2, 960), (11, 3, 640)]),
            (vae.decoder.up_blocks, (2, 5), [(2, 0, 512), (5, 1, 512)])):
        found = tap_blocks(levels, blocks)
        assert [(block.number, block.level, block.width) for block in found] == expected


def test_trained_parameters_of_the_full_size(tmp_path, monkeypatch):
    """28,067,009; of the frozen networks only the width of CLIP's embeddings counts for it."""
    monkeypatch.setitem(CLIP_CONFIG, 'embed_dim', 768)
    save_clip(build_clip(), tmp_path)
    init_default_scope('mmdet')
    clip = dict(type='FrozenCLIP', model=str(tmp_path))
    cfg = Config.fromfile(MODEL_CONFIGS / 'odise.py').model
    captioner = ImplicitCaptioner(clip)
    widths = (512, 512, 2560, 1920, 960, 640, 512, 512)
    projections = [_projection(width, cfg.backbone.out_channels) for width in widths]
    head = MODELS.build(dict(
        cfg.panoptic_head, clip=clip, vocabulary=TRAINING, train_cfg=cfg.train_cfg))
    assert count(captioner) == 1_695_744
    assert count(*projections) == 5_873_664
    assert count(head.pixel_decoder) == 5_577_152
    assert head.no_object.numel() == 768
    assert count(head.text_proj) == 196_864
    assert count(head) - count(head.pixel_decoder, head.text_proj) - 768 == 14_722_817
    assert count(captioner, *projections, head) == 28_067_009
