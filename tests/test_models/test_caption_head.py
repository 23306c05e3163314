"""The head of caption supervision: its losses, its predictions, and a training with it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData, PixelData

from mmodise.benchmark.small_models import CLIP_CONFIG, build_clip, save_clip
from mmodise.models import GeometricEnsemble
from mmodise.models.losses.box_overlap import box_overlap
from mmodise.vocabulary import Vocabulary

MODEL_CONFIGS = Path(__file__).parents[2] / 'configs/_base_/models'
GOLDEN = Path(__file__).parents[1] / 'data/golden_open_parts'
TRAINING = dict(thing_classes=('red ball, red sphere', 'blue box'), stuff_classes=('sand', ))
LAYERS = ('d0.', 'd1.', 'd2.', '')  # the initial queries, and after each of 3 layers


def config(clip_cfg):
    """The small model with what the caption model's base config says of head and classifier."""
    model, caption = (Config.fromfile(MODEL_CONFIGS / f'{name}.py').model
                      for name in ('odise_small', 'odise_caption'))
    for key in ('type', 'prompt', 'loss_grounding'):
        model.panoptic_head[key] = caption.panoptic_head[key]
    model.panoptic_head.vocabulary = TRAINING
    model.ensemble.update(caption.ensemble)
    for part in (model.backbone.captioner, model.panoptic_head, model.classifier):
        part.clip = clip_cfg
    return model


@pytest.fixture(scope='module')
def head(clip_cfg):
    init_default_scope('mmdet')
    model = config(clip_cfg)
    torch.manual_seed(0)
    head = MODELS.build(dict(model.panoptic_head, train_cfg=model.train_cfg))
    head.init_weights()
    return head


def maps(batch):
    """Maps of the backbone for images of 128 x 128."""
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(batch, 128, 128 // s, 128 // s, generator=generator)
                 for s in (4, 8, 16, 32))


def sample(words=('red ball', 'sand'), things=((0, 0), (1, 32)), stuff=2, **meta):
    """A picture of 128 x 128: things (label, first column) of 32 columns each, on stuff."""
    masks = np.zeros((len(things), 128, 128), dtype=np.uint8)
    semantic = torch.full((1, 128, 128), stuff)
    for mask, (label, column) in zip(masks, things, strict=True):
        mask[:, column : column + 32] = 1
        semantic[..., column : column + 32] = label
    size = (128, 128)
    sample = DetDataSample(metainfo=dict(
        batch_input_shape=size, img_shape=size, ori_shape=size, words=words, **meta))
    sample.gt_instances = InstanceData(
        labels=torch.tensor([label for label, _ in things], dtype=torch.long),
        masks=BitmapMasks(masks, 128, 128))
    sample.gt_sem_seg = PixelData(sem_seg=semantic)
    return sample


def without_masks(**kwargs):
    return sample(things=(), stuff=255, has_masks=False, **kwargs)


def losses(head, samples):
    torch.manual_seed(0)  # the losses are taken at random points
    return head.loss(maps(len(samples)), samples)


def test_loss_names_and_finite_values(head):
    values = losses(head, [sample(), sample(words=())])
    assert set(values) == {f'{layer}loss_{kind}' for layer in LAYERS
                           for kind in ('cls', 'mask', 'dice', 'grounding')}
    assert all(value.isfinite() for value in values.values())


def test_every_trained_parameter_learns(head):
    head.zero_grad()
    sum(losses(head, [sample(), sample(('blue box', ))]).values()).backward()
    unused = {name for name, p in head.named_parameters() if p.grad is None}
    head.zero_grad()
    assert not unused


def test_classes_do_not_enter_the_losses(head):
    """Labels of the other thing and the only stuff in place: the same masks, so the same losses."""
    ours = losses(head, [sample(things=((0, 0), (1, 32)))])
    others = losses(head, [sample(things=((1, 0), (0, 32)))])
    assert {name: value.item() for name, value in ours.items()} == {
        name: value.item() for name, value in others.items()}


def test_objects_are_matched_and_none_counts_a_tenth(head):
    """A thing and stuff are two objects; the other 10 queries are none."""
    old = {name: value.clone() for name, value in head.state_dict().items()}
    with torch.no_grad():
        head.cls_embed.weight.zero_()
        head.cls_embed.bias.copy_(torch.tensor([0.0, 2.0]))
        loss = losses(head, [sample(things=((1, 32), ))])['loss_cls'].item()
    head.load_state_dict(old)
    of_object, of_none = np.log(1 + np.exp(2)), np.log(np.exp(2) + 1) - 2
    expected = 2 * (2 * of_object + 10 * 0.1 * of_none) / (2 + 10 * 0.1)
    assert loss == pytest.approx(expected, rel=1e-5)


def test_grounding_tells_captions_apart(head):
    """Of one picture twice: with one caption it is log 2 (a guess), with two it must be more."""
    twice = tuple(m.repeat(2, 1, 1, 1) for m in maps(1))
    one, two = (head.loss(twice, [sample(), sample(words)])['loss_grounding'].item()
                for words in (('red ball', 'sand'), ('blue box', 'sand')))
    assert one == pytest.approx(np.log(2), rel=1e-5)
    assert two > np.log(2) + 1e-4


def test_words_are_put_into_the_prompt(head, monkeypatch):
    seen = []
    encode = type(head.clip).encode_texts
    monkeypatch.setattr(type(head.clip), 'encode_texts',
                        lambda clip, texts: (seen.extend(texts), encode(clip, texts))[1])
    losses(head, [sample(('red ball', 'sand')), sample(words=())])
    assert seen == ['a photo of a red ball.', 'a photo of a sand.', 'a photo of a .']


def test_boxes_of_words_are_read_if_the_loss_asks_for_them(head, monkeypatch):
    boxes = (((0, 0, 64, 128), ), ())
    images = [sample(word_boxes=boxes), sample(('blue box', ))]
    paper = losses(head, images)['loss_grounding'].item()
    assert losses(head, [sample(), sample(('blue box', ))])['loss_grounding'].item() == paper
    masks = (head.layers(maps(2))[-1].masks[0] > 0).float()
    overlaps = box_overlap(masks, torch.tensor(boxes[0]), (128, 128))  # of some more than others
    monkeypatch.setattr(head.loss_grounding, 'box_weight', 1.0)
    monkeypatch.setattr(head.loss_grounding, 'min_overlap', overlaps.median().item())
    ours = losses(head, images)
    assert ours['loss_grounding'].item() > paper and ours['loss_grounding'].isfinite()
    nowhere = [sample(word_boxes=((), ())), sample((), word_boxes=())]
    without = [sample(), sample(())]
    assert losses(head, nowhere)['loss_grounding'].item() == losses(
        head, without)['loss_grounding'].item()
    with pytest.raises(ValueError, match=r'brings 2 words and word_boxes=\(\(\),\); expected'):
        losses(head, [sample(word_boxes=((), ))])


def test_an_image_without_masks_counts_with_its_words_only(head):
    both = losses(head, [sample(), without_masks(words=('blue box', ))])
    grounding = losses(head, [sample(), sample(words=('blue box', ))])
    torch.manual_seed(0)
    alone = head.loss(tuple(m[:1] for m in maps(2)), [sample()])
    for name, value in both.items():
        expected = grounding[name] if 'grounding' in name else alone[name]
        torch.testing.assert_close(value, expected, rtol=1e-4, atol=1e-5)


def test_a_batch_without_any_masks(head):
    """Grounding is all there is; yet no parameter is left out, which DDP would not forgive."""
    head.zero_grad()
    values = losses(head, [without_masks(), without_masks(words=('blue box', ))])
    assert all((value > 0) == ('grounding' in name) for name, value in values.items())
    sum(values.values()).backward()
    unused = {name for name, p in head.named_parameters() if p.grad is None}
    assert not unused
    assert not head.cls_embed.weight.grad.any()
    head.zero_grad()


@pytest.mark.parametrize('words', ['dog', (1, 2), None])
def test_words_that_are_none_are_refused(head, words):
    bad = sample(words=words, img_path='train/7.jpg')
    expected = 'no words' if words is None else r'words='
    with pytest.raises(ValueError, match=rf'train/7\.jpg brings {expected}(?s:.)*meta_keys'):
        losses(head, [bad])


def test_a_label_that_the_vocabulary_lacks_is_refused(head):
    with pytest.raises(ValueError, match=r'ODISECaptionHead: .* label 3, .* 3 classes'):
        losses(head, [sample(things=((3, 0), ))])


def test_mixed_precision_is_finite_and_close(head):
    exact = losses(head, [sample(), sample(('blue box', ))])
    with torch.autocast('cpu', dtype=torch.bfloat16):
        mixed = losses(head, [sample(), sample(('blue box', ))])
    assert all(value.dtype == torch.float32 for value in mixed.values())
    total, total_mixed = sum(exact.values()).item(), sum(mixed.values()).item()
    assert total_mixed == pytest.approx(total, rel=0.05)


@torch.no_grad()
def test_predictions_are_probabilities(head):
    """p(class) = p(object) x p(class | object), and p(none); of the last layer."""
    vocabularies = [Vocabulary.from_string('bird; cat, kitten', 'sea'),
                    Vocabulary.from_string('tree')]
    masks, logits, _, embeddings, _ = head.predict(maps(2), [sample()] * 2, vocabularies)
    last = head.layers(maps(2))[-1]
    torch.testing.assert_close(masks, last.masks)
    torch.testing.assert_close(embeddings, last.embeddings)
    scores = last.scores
    for i, vocabulary in enumerate(vocabularies):
        names = head.embed_texts(vocabulary.names)
        cosine = torch.cosine_similarity(embeddings[i][:, None], names, dim=-1)
        if i == 0:
            cosine = torch.stack([cosine[:, 0], cosine[:, 1:3].amax(-1), cosine[:, 3]], dim=-1)
        given_object = (head.mask_embedding.scale * cosine).softmax(-1)
        is_object, is_none = scores[i].softmax(-1).split(1, dim=-1)
        expected = torch.cat([is_object * given_object, is_none], dim=-1)
        torch.testing.assert_close(logits[i].softmax(-1), expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(logits[i].exp(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(('name', 'classes'), [
    ('img0', 'vocab'), ('img0_trainvocab', 'train_labels')])
@torch.no_grad()
def test_official_release(head, monkeypatch, name, classes):
    """From embeddings of masks and names, and CLIP's logits, to the final scores of masks."""
    meta = json.loads((GOLDEN / 'parts.json').read_text())
    vocabulary, training = (Vocabulary.from_lists(meta[key]) for key in (classes, 'train_labels'))
    arrays = {key: torch.from_numpy(array) for key, array in
              np.load(GOLDEN / 'caption.npz').items()}
    masks, texts = ({key.removeprefix(f'{case}.'): array for key, array in arrays.items()
                     if key.startswith(f'{case}.')} for case in ('img0', name))
    monkeypatch.setattr(type(head), 'embed_texts', lambda head, names: texts['head.text_embed'])
    monkeypatch.setattr(type(head.mask_embedding), 'scale', masks['pred.logit_scale'])
    logits = head.classify(masks['pred.mask_embed'], vocabulary, masks['pred.pred_logits'])
    torch.testing.assert_close(
        logits[..., :-1].log_softmax(-1), texts['head.logits'].log_softmax(-1),
        rtol=1e-4, atol=1e-4)
    final = GeometricEnsemble(alpha=0.35, beta=0.65)(
        logits[0], texts['clip.mask_logits'][0], vocabulary.seen_in(training))
    torch.testing.assert_close(final, texts['final.mask_cls'], rtol=1e-4, atol=1e-4)


@pytest.fixture(scope='module')
def model(clip_cfg, small_models):
    init_default_scope('mmdet')
    cfg = config(clip_cfg)
    cfg.backbone.extractor.pretrained = str(small_models / 'stable_diffusion')
    torch.manual_seed(0)
    model = MODELS.build(cfg)
    model.init_weights()
    return model


def test_training(model):
    """Two steps with the same batch, one image without words: what is trained moves."""
    optimizer = OptimWrapper(torch.optim.AdamW(model.parameters(), lr=1e-4))
    images = torch.randint(256, (2, 3, 128, 128), generator=torch.Generator().manual_seed(0))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for _ in range(2):
        data = dict(inputs=list(images.to(torch.uint8)),
                    data_samples=[sample(), sample(words=())])
        log = model.train().train_step(data, optimizer)
        assert log['loss'].item() == pytest.approx(
            sum(log[f'{layer}loss_{kind}'].item() for layer in LAYERS
                for kind in ('cls', 'mask', 'dice', 'grounding')), rel=1e-4)
    after = model.state_dict()
    for name in ('text_proj.weight', 'cls_embed.weight', 'mask_embedding.log_scale'):
        name = f'panoptic_head.{name}'
        assert not torch.equal(before[name], after[name]), name


def test_prediction(model):
    """End to end with CLIP's scores, each image with its own classes."""
    first, second = sample(), sample(text='star; red ball', stuff_text='sky')
    images = torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        results = model.eval().predict(images, [first, second])
    assert [result.pred_panoptic_seg.label_names for result in results] == [
        ['red ball', 'blue box', 'sand'], ['star', 'red ball', 'sky']]
    for result in results:
        assert result.pred_panoptic_seg.sem_seg.shape == (1, 128, 128)
        assert set(result.pred_sem_seg.sem_seg.unique().tolist()) <= {0, 1, 2}
        assert result.pred_instances.scores.isfinite().all()


def test_ensemble_of_the_base_config():
    model = Config.fromfile(MODEL_CONFIGS / 'odise_caption.py').model
    assert (model.ensemble.alpha, model.ensemble.beta) == (0.35, 0.65)
    assert model.panoptic_head.loss_grounding.loss_weight == 1.0
    assert model.panoptic_head.num_queries == 100, 'the rest is as with label supervision'


def test_trained_parameters_of_the_full_size(tmp_path, monkeypatch):
    """As the label model's, but for "no object" (768) and the linear layer of objects (514)."""
    monkeypatch.setitem(CLIP_CONFIG, 'embed_dim', 768)
    save_clip(build_clip(), tmp_path)
    init_default_scope('mmdet')
    cfg = Config.fromfile(MODEL_CONFIGS / 'odise_caption.py').model
    head = MODELS.build(dict(
        cfg.panoptic_head, clip=dict(type='FrozenCLIP', model=str(tmp_path)), vocabulary=TRAINING,
        train_cfg=cfg.train_cfg))
    label_model = 5_577_152 + 14_722_817 + 196_864 + 768
    assert sum(p.numel() for p in head.parameters()) == label_model - 768 + 514
