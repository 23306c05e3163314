"""The test on all data sets of the paper's tables, built without their data and with some of it."""

import inspect
import json
import re
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.evaluation import INSTANCE_OFFSET
from mmdet.registry import DATASETS, METRICS, MODELS
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.structures import InstanceData, PixelData
from PIL import Image
from pycocotools import mask as mask_utils

from mmodise.datasets.benchmarks.visual_genome import name_of
from mmodise.datasets.converters.ade20k_150 import prepare_ade20k_150
from mmodise.datasets.converters.ade20k_full import prepare_ade20k_full
from mmodise.datasets.converters.cityscapes_benchmark import prepare_cityscapes
from mmodise.datasets.converters.lvis import prepare_lvis
from mmodise.datasets.converters.open_images import prepare_open_images
from mmodise.datasets.converters.pascal_context import prepare_pascal_context
from mmodise.datasets.converters.pascal_voc import prepare_pascal_voc
from mmodise.datasets.converters.visual_genome import prepare_visual_genome
from mmodise.engine import load_config
from mmodise.vocabulary import Vocabulary

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / 'configs/open_vocabulary/odise_sd-v1_open-vocabulary.py'
TREES = ROOT.parent / 'shared/trees/open'
ROOTS = ('COCO_ROOT', 'ADE20K_ROOT', 'ADE20K_FULL_ROOT', 'PASCAL_CONTEXT_ROOT', 'PASCAL_VOC_ROOT',
         'CITYSCAPES_ROOT', 'MAPILLARY_ROOT', 'LVIS_ROOT', 'OPEN_IMAGES_ROOT',
         'VISUAL_GENOME_ROOT')


@pytest.fixture(scope='module')
def read_config():
    """The config as a dict; reading it takes seconds. Folders of data are called as variables."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ROOTS:
            patch.setenv(name, f'<{name}>')
        config = load_config(CONFIG)
    config.test_dataloader.update(num_workers=0, persistent_workers=False)
    for parts in config.test_cfg.data_sets.values():
        parts.dataset.serialize_data = False  # it calls the garbage collector
    return config.to_dict()


@pytest.fixture
def load(read_config, tmp_path):
    def load(**roots):
        def fill(node):
            if isinstance(node, dict):
                return {key: fill(value) for key, value in node.items()}
            if isinstance(node, (list, tuple)):
                return type(node)(map(fill, node))
            return re.sub('<(.+?)>', lambda found: str(roots.get(found[1], tmp_path / 'nowhere')),
                          node) if isinstance(node, str) else node

        return Config(dict(fill(read_config), work_dir=str(tmp_path / 'work')))
    return load


@pytest.fixture(autouse=True)
def charts(monkeypatch):
    """The charts that would be drawn, which takes longer than all else here."""
    drawn = []
    monkeypatch.setattr('mmengine.runner.Runner._log_env', lambda *args: None)  # runs compilers
    monkeypatch.setattr('mmodise.evaluation.class_figures.draw_classes',
                        lambda values, path, title, novel: drawn.append(path))
    return drawn


class Persons(BaseModel):
    """Takes all pixels for the first class."""

    def forward(self, inputs, data_samples=None, mode='predict'):
        for sample in data_samples:
            labels = torch.zeros(1, *sample.ori_shape, dtype=torch.long)
            sample.pred_sem_seg = PixelData(sem_seg=labels)
            sample.pred_panoptic_seg = PixelData(sem_seg=labels, metainfo=dict(ignore_index=133))
            sample.pred_instances = InstanceData(
                labels=torch.zeros(1, dtype=torch.long), scores=torch.ones(1),
                bboxes=torch.zeros(1, 4), masks=torch.ones(1, *sample.ori_shape, dtype=bool))
        return data_samples


def run(config, model=None):
    return Runner(
        model or Persons(), default_scope='mmdet', work_dir=config.work_dir, log_level='ERROR',
        experiment_name='nothing', test_dataloader=config.test_dataloader,
        test_evaluator=config.test_evaluator, test_cfg=config.test_cfg,
        cfg=Config({})).test()  # printing all of it takes long


def test_all_parts_are_there(load):
    config = load()
    for name, parts in config.test_cfg.data_sets.items():
        assert DATASETS.get(parts.dataset.type), name
        for metric in parts.metrics:
            taken = {key for kind in METRICS.get(metric.type).__mro__
                     for key in inspect.signature(kind.__init__).parameters}
            assert set(metric) - {'type'} <= taken, name
    with pytest.raises(ValueError, match='None of the data sets A-150, COCO, A-847'):
        run(config)


class Random(BaseModel):
    """Random masks and scores of the classes that samples bring, made into the real results."""

    def __init__(self, model):
        super().__init__()
        self.panoptic_fusion_head = MODELS.build(
            dict(model.panoptic_fusion_head, test_cfg=model.test_cfg))
        self.panoptic_head = torch.nn.Module()
        self.panoptic_head.vocabulary = Vocabulary.named('coco')
        self.generator = torch.Generator().manual_seed(0)

    def forward(self, inputs, data_samples=None, mode='predict'):
        for sample in data_samples:
            vocabulary = Vocabulary.from_texts(sample.text, sample.get('stuff_text'))
            sample.set_metainfo(dict(batch_input_shape=sample.img_shape[:2]))
            scores, masks = (torch.randn(shape, generator=self.generator)
                             for shape in ((9, len(vocabulary) + 1), (9, 6, 8)))
            results, = self.panoptic_fusion_head.predict(
                [5 * scores], [masks], [sample], [vocabulary])
            for name, key in dict(pan_results='pred_panoptic_seg', ins_results='pred_instances',
                                  sem_results='pred_sem_seg').items():
                if name in results:
                    setattr(sample, key, results[name])
        return data_samples


def prepare_all(root):
    """All trees, as they are downloaded and prepared; Mapillary as in the package 2.0."""
    for tree in ('coco_panoptic', 'cityscapes', 'mapillary', 'open_images', 'visual_genome'):
        shutil.copytree(TREES / tree, root / tree)
    for tree in ('ade20k_150', 'ade20k_full', 'pascal_context', 'pascal_voc', 'lvis', 'coco_stuff'):
        shutil.copytree(TREES / tree, root, dirs_exist_ok=True)
    split = root / 'mapillary/validation'
    (split / 'v1.2').mkdir()
    for folder in ('labels', 'instances', 'panoptic'):
        (split / folder).rename(split / 'v1.2' / folder)
    prepare_ade20k_150(root, split='val')
    prepare_ade20k_full(root, split='val')
    prepare_cityscapes(root / 'cityscapes', split='val')
    prepare_pascal_context(root, root / 'context', split='val')
    prepare_pascal_voc(root, root / 'voc', split='val')
    prepare_lvis(root, split='val')
    prepare_open_images(root / 'open_images', split='validation')
    prepare_visual_genome(root / 'visual_genome', exclude=[
        root / 'coco_panoptic/annotations/panoptic_val2017.json'])
    return dict(
        COCO_ROOT='coco_panoptic', ADE20K_ROOT='ADEChallengeData2016', LVIS_ROOT='lvis',
        ADE20K_FULL_ROOT='ADE20K_2021_17_01', PASCAL_CONTEXT_ROOT='context',
        PASCAL_VOC_ROOT='voc', CITYSCAPES_ROOT='cityscapes', MAPILLARY_ROOT='mapillary',
        OPEN_IMAGES_ROOT='open_images', VISUAL_GENOME_ROOT='visual_genome')


@pytest.mark.skipif(not TREES.is_dir(), reason='needs ../shared')
def test_all_data_sets_from_their_downloads_to_the_tables(load, tmp_path, charts):
    roots = prepare_all(tmp_path)
    config = load(**{key: tmp_path / folder for key, folder in roots.items()})
    sets = config.test_cfg.data_sets
    sets['LVIS'].dataset.data_prefix.img = str(tmp_path / 'coco')  # the trees have pictures apart
    sets['COCO-Stuff'].dataset.data_root = str(tmp_path)
    for parts in sets.values():
        parts.dataset.pipeline[1].scale = (96, 64)
    figures = run(config, Random(config.model))
    found = {}
    for key, value in figures.items():
        found.setdefault(key.split('/')[0], {})[key.split('/')[-1]] = value
        assert np.isfinite(value), key
    assert list(found) == list(sets)
    tables = [line for line in (tmp_path / 'work/data_sets/tables.md').read_text().splitlines()
              if line.startswith('| nothing')]
    # the trees have no common class of LVIS, and of A-150 no novel one
    assert len(tables) == 5 and sum(line.count(' - ') for line in tables) <= 4
    for name in sets:
        folder = tmp_path / 'work/data_sets' / name
        lines = (folder / 'classes.csv').read_text().splitlines()
        assert len(lines) > 2 and any(path.parent == folder for path in charts), name
    words = (tmp_path / 'work/data_sets/PAS-21/classes.csv').read_text()
    assert '\nbackground,' in words


class Truth(BaseModel):
    """Takes the panoptic maps, their things and the semantic maps for its results."""

    def __init__(self, panoptic, semantic):
        super().__init__()
        labels = {Path(item['data_samples'].img_path).stem: item['data_samples'].gt_sem_seg.sem_seg
                  for item in map(semantic.__getitem__, range(len(semantic)))}
        self.results = {}
        for info in map(panoptic.get_data_info, range(len(panoptic))):
            ids, stem = read_ids(info['seg_map_path']), Path(info['img_path']).stem
            segments, things, masks = torch.full(ids.shape, 150), [], []
            for number, segment in enumerate(info['segments_info'], start=1):
                mask = torch.from_numpy(ids == segment['id'])
                segments[mask] = segment['category'] + number * INSTANCE_OFFSET
                if segment['is_thing']:
                    things.append(segment['category'])
                    masks.append(mask)
            self.results[stem] = dict(
                pred_panoptic_seg=PixelData(
                    sem_seg=segments[None], metainfo=dict(ignore_index=150)),
                pred_sem_seg=PixelData(sem_seg=labels[stem].long()),
                pred_instances=InstanceData(
                    labels=torch.tensor(things, dtype=torch.long), scores=torch.ones(len(things)),
                    bboxes=torch.zeros(len(things), 4),
                    masks=torch.stack(masks) if masks else torch.zeros(0, *ids.shape).bool()))

    def forward(self, inputs, data_samples=None, mode='predict'):
        for sample in data_samples:
            for key, value in self.results[Path(sample.img_path).stem].items():
                setattr(sample, key, value.clone())
        return data_samples


def read_ids(path):
    return np.asarray(Image.open(path).convert('RGB')).astype(int) @ [1, 256, 65536]


def draw_garden_and_roofs(root):
    pixels = np.arange(24, dtype=np.uint8).reshape(4, 6)
    for name in ('garden/val/a.jpg', 'roofs/images/b.jpg', 'garden/panoptic_val/a.png',
                 'roofs/maps/b.png'):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        colours = np.stack([pixels // 8 + 1, pixels * 0, pixels * 0], axis=-1)
        Image.fromarray(pixels % 2 if 'roofs/maps' in name else colours).save(root / name)
    names = ('owl', 'lawn', 'hedgehog')
    (root / 'garden/panoptic_val.json').write_text(json.dumps(dict(
        images=[dict(id=1, file_name='a.jpg', height=4, width=6)],
        categories=[dict(id=i, name=name) for i, name in enumerate(names, start=1)],
        annotations=[dict(image_id=1, file_name='a.png', segments_info=[
            dict(id=i, category_id=i, iscrowd=0, area=8) for i in (1, 2, 3)])])))


def test_the_readmes_own_data_sets(tmp_path, monkeypatch):
    draw_garden_and_roofs(tmp_path / 'data')
    code = (CONFIG.parent / 'README.md').read_text().split('```python\n')[1].split('```')[0]
    (tmp_path / 'own.py').write_text(code.replace("'./odise", f"'{CONFIG.parent}/odise"))
    monkeypatch.chdir(tmp_path)
    config = load_config(tmp_path / 'own.py', work_dir=tmp_path / 'work')
    config.test_dataloader.update(num_workers=0, persistent_workers=False)
    figures = run(config, Random(config.model))
    assert {key.split('/')[0] for key in figures} == {'garden', 'roofs'}
    table = (tmp_path / 'work/data_sets/tables.md').read_text().splitlines()
    assert table[0] == '**All data sets**'
    assert table[2].startswith('|  | garden PQ | ') and table[2].endswith('roofs mIoU novel |')
    assert 'garden AP' in table[2] and 'ODISE' not in ''.join(table)


@pytest.mark.skipif(not TREES.is_dir(), reason='needs ../shared')
@pytest.mark.parametrize('layout', ['', 'prepared_detectron2', 'prepared_mmdet'])
def test_ade20k_has_each_figure_from_its_own_file(load, tmp_path, layout):
    """From the download to the paper's columns; stuff under instances costs PQ, as in the field."""
    root = shutil.copytree(TREES / 'ade20k_150/ADEChallengeData2016', tmp_path / 'ade')
    if layout:  # annotations that other tools made
        shutil.copytree(TREES / 'ade20k_150' / layout, root, dirs_exist_ok=True)
    prepare_ade20k_150(root, root)
    config = load(ADE20K_ROOT=root)
    parts = config.test_cfg.data_sets['A-150']
    maps = next(metric.maps for metric in parts.metrics if 'maps' in metric)
    pipeline = [dict(type='LoadImageFromFile'), dict(type='LoadSemanticMap'),
                dict(type='PackDetInputs')]
    figures = run(config, Truth(DATASETS.build(dict(parts.dataset, pipeline=[])), DATASETS.build(
        dict(maps, pipeline=pipeline, test_mode=True))))
    assert figures['A-150/coco_panoptic/PQ'] == pytest.approx(86.0, abs=0.05)
    assert figures['A-150/coco/segm_mAP'] == 1
    assert figures['A-150/semantic/mIoU'] == 100
    assert figures['A-150/class_agnostic/recall50'] == 100
    text = (tmp_path / 'work/data_sets/tables.md').read_text()
    assert '| nothing | 86.0 | 100.0 | 100.0 | - | - | - |' in text


@pytest.mark.skipif(not TREES.is_dir(), reason='needs ../shared')
def test_the_data_that_are_there_are_tested(load, tmp_path):
    """Of COCO; its first class is person."""
    figures = run(load(COCO_ROOT=TREES / 'coco_panoptic'))
    assert {key.split('/')[0] for key in figures} == {'COCO'}
    folder = TREES / 'coco_panoptic/annotations'
    content = json.loads((folder / 'panoptic_val2017.json').read_text())
    person, known, classes = 0, 0, set()
    for annotation in content['annotations']:
        ids = read_ids(folder / 'panoptic_val2017' / annotation['file_name'])
        for info in annotation['segments_info']:
            pixels = int((ids == info['id']).sum())
            known += pixels
            classes |= {info['category_id']} if pixels else set()
            person += pixels * (info['category_id'] == 1)
    assert figures['COCO/semantic/mIoU'] == pytest.approx(
        100 * person / known / len(classes), abs=0.01)
    assert 'PC-459 was left out' in (tmp_path / 'work/data_sets/tables.md').read_text()


@pytest.mark.skipif(not TREES.is_dir(), reason='needs ../shared')
@pytest.mark.parametrize(('name', 'roots', 'tree', 'first'), [
    ('Cityscapes', dict(CITYSCAPES_ROOT='cityscapes'), 'cityscapes', 'person'),
    ('Mapillary', dict(MAPILLARY_ROOT='mapillary'), 'mapillary', 'Bird'),
    ('COCO-Stuff', dict(COCO_ROOT='coco_stuff'), 'coco_stuff', 'person')])
def test_miou_of_all_pixels_in_the_first_class(load, name, roots, tree, first):
    answers = json.loads((TREES / tree / 'answers.json').read_text())
    pixels = Counter()
    for image in answers['images']:
        if image['split'] in ('val', 'val2017', 'validation'):
            pixels.update(image.get('semantic', image)['pixels'])
    del pixels['void'], pixels['outside_list']
    figures = run(load(**{key: TREES / folder for key, folder in roots.items()}))
    assert figures[f'{name}/semantic/mIoU'] == pytest.approx(
        100 * pixels[first] / pixels.total() / len([n for n in pixels.values() if n]), abs=0.01)


@pytest.mark.skipif(not TREES.is_dir(), reason='needs ../shared')
def test_lvis_is_tested_on_its_own_file(load):
    figures = run(load(COCO_ROOT=TREES / 'lvis/coco', LVIS_ROOT=TREES / 'lvis/lvis'))
    assert {key.split('/')[0] for key in figures} == {'LVIS'}
    assert 0 <= figures['LVIS/lvis/segm_AP'] < 0.2, 'all is the first class, which is not there'


class Instances(BaseModel):
    """Gives instances, (label, box, mask) each, by the image's id."""

    def __init__(self, found):
        super().__init__()
        self.found = found

    def forward(self, inputs, data_samples=None, mode='predict'):
        for sample in data_samples:
            labels, boxes, masks = zip(*self.found[sample.img_id], strict=True)
            sample.pred_instances = InstanceData(
                labels=torch.tensor(labels), scores=torch.ones(len(labels)),
                bboxes=torch.tensor(boxes, dtype=torch.float),
                masks=torch.from_numpy(np.array(masks, bool)))
        return data_samples


@pytest.mark.skipif(not TREES.is_dir(), reason='needs ../shared')
def test_open_images_is_tested_by_its_hierarchy(load, tmp_path):
    """All that is annotated is found; a teddy bear is no bear then, nor are women persons."""
    root = shutil.copytree(TREES / 'open_images', tmp_path / 'tree')
    prepare_open_images(root, split='validation')
    content = json.loads((root / 'annotations/validation.json').read_text())
    found = {image['id']: [(13, [0, 0, 1, 1], np.zeros((image['height'], image['width'])))]
             for image in content['images']}
    for entry in content['annotations']:
        found[entry['image_id']].append((
            entry['category_id'] - 1, [0, 0, 1, 1], mask_utils.decode(entry['segmentation'])))
    figures = run(load(OPEN_IMAGES_ROOT=root), Instances(found))
    names = {'Cat', 'Teddy bear', 'Woman', 'Car'}
    assert {key.split('/')[0] for key in figures} == {'Open Images'}
    assert figures['Open Images/lvis/segm_AP50'] == pytest.approx(
        len(names) / len(names | {'Bear', 'Person'}))


@pytest.mark.skipif(not TREES.is_dir(), reason='needs ../shared')
def test_visual_genome_is_tested_by_its_regions(load, tmp_path):
    root = shutil.copytree(TREES / 'visual_genome', tmp_path / 'tree')
    prepare_visual_genome(root, exclude=[
        TREES / 'coco_panoptic/annotations/panoptic_val2017.json'])
    config = load(VISUAL_GENOME_ROOT=root)
    dataset = DATASETS.build(dict(
        config.test_cfg.data_sets['Visual Genome'].dataset, serialize_data=False))
    names = dataset.metainfo['classes']
    found = {}
    for info in map(dataset.get_data_info, range(len(dataset))):
        mask = np.zeros((info['height'], info['width']))
        found[info['img_id']] = [
            (names.index(name_of(region)), region['bbox'], mask)
            for region in info['regions'] if region['bbox'] and name_of(region) in names]
    figures = run(config, Instances(found))
    assert figures['Visual Genome/regions/recall50'] == 100
    assert '| nothing |' in (tmp_path / 'work/data_sets/tables.md').read_text()
