"""The examples of docs/extending.md are run as a reader would: as files beside the configs."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.registry import DATASETS, METRICS, MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from PIL import Image

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / 'docs/extending.md').read_text(encoding='utf-8')
MAX_LINES = 42


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A user's folder with all examples, and the configs beside them."""
    folder = tmp_path_factory.mktemp('user')
    (folder / 'configs').symlink_to(ROOT / 'configs')
    for block in re.findall(r'```python\n(.*?)```', PAGE, re.DOTALL):
        name = re.match(r'# (\w+\.py)\n', block)
        (folder / name[1]).write_text(block, encoding='utf-8')
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.chdir(folder)
        yield folder


def images():
    """Two images and their samples."""
    inputs = torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    meta = dict(img_shape=(128, 128), ori_shape=(128, 128), batch_input_shape=(128, 128),
                text='red ball; star', stuff_text='sand; sky')
    return inputs, [DetDataSample(metainfo=meta) for _ in inputs]


def build(config):
    torch.manual_seed(0)
    return MODELS.build(Config.fromfile(config).model).eval()


def test_sections_are_short():
    _, *sections = re.split(r'^## ', PAGE, flags=re.MULTILINE)
    assert len(sections) == 6
    for section in sections:
        assert section.rstrip().count('\n') < MAX_LINES, section.splitlines()[0]


@torch.no_grad()
def test_extractor(folder):
    """Its maps are the encoder's, and the model makes results of them."""
    model = build(folder / 'vae.py')
    extractor = model.backbone.extractor
    inputs, samples = images()
    maps, noted = extractor(inputs), []
    levels = extractor.frozen.vae.encoder.down_blocks
    for level in levels:
        level.register_forward_hook(lambda _, args, output: noted.append(output))
    extractor.frozen.vae.encode(2 * inputs - 1)
    for found, expected, told in zip(maps, noted, extractor.maps, strict=True):
        torch.testing.assert_close(found, expected)
        assert found.shape[1:] == (told.channels, 128 // told.stride, 128 // told.stride)
    assert [m.stride for m in extractor.maps] == [2, 4, 8, 8]
    result = model.predict(inputs, samples)[0]
    assert result.pred_panoptic_seg.sem_seg.shape == (1, 128, 128)


@torch.no_grad()
def test_captioner(folder):
    """The maps are those of the two captions."""
    backbone = build(folder / 'brightness.py').backbone
    inputs, _ = images()
    inputs[0] *= 0.2
    told = ['a photo at night', 'a photo by day']
    assert backbone.captioner(inputs, []) == told
    found = backbone.extractor(inputs, *backbone.extractor.embed_captions(told))
    maps, _ = backbone.inner_maps(inputs)
    for ours, expected in zip(maps.values(), found, strict=True):
        assert ours.shape[:2] == expected.shape[:2]
    torch.testing.assert_close(maps['unet11'], found[5], rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_classifier(folder):
    model = build(folder / 'masked.py')
    assert type(model.classifier).__name__ == 'MaskedImages'
    inputs, samples = images()
    scores = model.predict_scores(inputs, samples)
    seen, nothing = torch.full((1, 32, 32), 9.0), torch.full((1, 32, 32), -9.0)
    found = model.classifier(
        inputs, (), [torch.cat([seen, nothing])] * 2, samples, scores.vocabularies)
    whole = model.classifier.clip.encode_images(inputs)
    names = model.classifier.clip.encode_texts(
        [f'a photo of a {name}.' for name in ('red ball', 'star', 'sand', 'sky')])
    cosine = torch.cosine_similarity(whole[0], names)
    torch.testing.assert_close(
        found[0].logits[0], model.classifier.clip.logit_scale * cosine, rtol=1e-4, atol=1e-4)
    assert found[0].valid.tolist() == [True, False]
    fused = model.fuse(scores)
    alone = scores.predictions.in_vocabulary[0]
    assert not torch.allclose(fused[0].softmax(-1), alone.softmax(-1), atol=1e-3)
    assert model.make_results(scores, samples)[0].pred_panoptic_seg.sem_seg.shape == (1, 128, 128)


@torch.no_grad()
def test_mask_source(folder):
    """The image is divided as the head says, and each tile has the name that CLIP likes best."""
    model = build(folder / 'tiles.py')
    inputs, samples = images()
    scores = model.predict_scores(inputs, samples)
    best = scores.out_of_vocabulary[0].logits.argmax(1)
    result = model.make_results(scores, samples)[0]
    tiles = result.pred_sem_seg.sem_seg[0].view(2, 64, 2, 64).movedim(1, 2).flatten(2)
    assert tiles[..., 33 * 64].flatten().tolist() == best.tolist()
    assert (tiles == best.view(2, 2, 1)).float().mean() > 0.9
    with pytest.raises(RuntimeError, match='TileHead is not trained'):
        model(inputs, samples, mode='loss')


def test_metric(folder):
    metric = METRICS.build(Config.fromfile(folder / 'void.py').test_evaluator[1])
    maps = [torch.tensor([[[0, 1002, 9, 9]]]), torch.tensor([[[9, 1, 2, 1, 0, 0]]])]
    metric.process({}, [dict(pred_panoptic_seg=dict(sem_seg=m, ignore_index=9)) for m in maps])
    assert metric.evaluate(2) == {'void/percent': 30.0}


def test_data_set(folder):
    root = folder / 'data/toys'
    (root / 'images').mkdir(parents=True)
    (root / 'panoptic').mkdir()
    segments = np.zeros((8, 8, 3), np.uint8)
    segments[..., 0] = np.where(np.arange(8) < 4, 1, 2)  # the id is R + 256 G + 65536 B
    Image.fromarray(segments).save(root / 'panoptic/a.png')
    Image.fromarray(segments).save(root / 'images/a.jpg')
    categories = [dict(id=i, name=name, isthing=int(i < 9))
                  for i, name in ((5, 'ball'), (7, 'box'), (9, 'sand'))]
    left = dict(id=1, category_id=7, iscrowd=0, bbox=[0, 0, 4, 8], area=32)
    right = dict(id=2, category_id=9, iscrowd=0, bbox=[4, 0, 4, 8], area=32)
    annotation = dict(image_id=1, file_name='a.png', segments_info=[left, right])
    (root / 'panoptic.json').write_text(json.dumps(dict(
        images=[dict(id=1, file_name='a.jpg', height=8, width=8)], annotations=[annotation],
        categories=categories)))
    sample = DATASETS.build(Config.fromfile(
        folder / 'toys_panoptic.py').test_dataloader.dataset)[0]['data_samples']
    assert sample.gt_instances.labels.tolist() == [1]
    assert sample.gt_sem_seg.sem_seg[0, 0].tolist() == [1] * 4 + [2] * 4
    assert (sample.text, sample.stuff_text) == (('ball, sphere', 'box, cube'), ('sand, beach', ))
