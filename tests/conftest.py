import importlib.util
import os
import sys
from pathlib import Path

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope

import mmodise
from mmodise.datasets.shapes_world.writer import make_split
from mmodise.engine.process import SWITCH
from mmodise.weights import locate

ROOT = Path(__file__).parents[1]
SMALL_CONFIG = ROOT / 'configs/odise/odise_sd-small_shapes-panoptic.py'

# commands are run in the process of the tests, which is to stay as it is
os.environ[SWITCH] = '0'


@pytest.fixture(autouse=True)
def default_scope(default_scope_of_fixtures):
    """Look parts up in mmdet's registries, whatever a runner of another test has left behind."""
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield


@pytest.fixture(autouse=True, scope='module')
def default_scope_of_fixtures():
    """The same for what the tests of a file share."""
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield


@pytest.fixture
def log(caplog):
    """What mmengine's current logger writes from INFO on, as pytest's ``caplog``."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel('INFO')  # a runner or a tool of another test may have left another one
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)
    logger.setLevel(level)


@pytest.fixture(scope='session')
def load_tool():
    """Give a function that imports a script of ``tools/`` by its name."""

    files = {path.stem: path for path in (ROOT / 'tools').rglob('*.py')}

    def load(name):
        spec = importlib.util.spec_from_file_location(f'tool_{name}', files[name])
        tool = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = tool
        spec.loader.exec_module(tool)
        return tool

    return load


@pytest.fixture(scope='session')
def golden_file(tmp_path_factory):
    """Give a function that writes weights of the golden set 'mini' in the original formats.

    They are 'sd', 'clip', and the official checkpoints 'label' and 'caption'.
    """
    spec = importlib.util.spec_from_file_location(
        'golden_weights', ROOT / 'tests/parity/golden_weights.py')
    weights = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(weights)
    return weights.generated_files(
        ROOT / 'tests/data/golden_mini', tmp_path_factory.mktemp('golden'))


@pytest.fixture(scope='session')
def small():
    """The module of a panoptic data set of three small images, see ``SmallSet``."""
    path = ROOT / 'tests/small_set.py'
    spec = importlib.util.spec_from_file_location('small_set', path)
    module = sys.modules.setdefault(spec.name, importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def small_set(small, tmp_path):
    """A panoptic data set of three small images, to be changed before it is written."""
    return small.SmallSet(tmp_path / 'set')


@pytest.fixture(scope='session')
def truth_as_prediction():
    """Give a function that makes the annotations of a sample, as mmdet loads them, its results."""
    from mmdet.evaluation import INSTANCE_OFFSET
    from mmengine.structures import InstanceData, PixelData

    def predict(sample, metainfo):
        void, num_things = len(metainfo['classes']), len(metainfo['thing_classes'])
        semantic = sample.gt_sem_seg.sem_seg.long()
        # groups of things are in none of the instances: void
        panoptic = torch.where((semantic < num_things) | (semantic == 255), void, semantic)
        things = sample.gt_instances
        masks = torch.from_numpy(things.masks.masks).bool()
        for number, (label, mask) in enumerate(zip(things.labels, masks, strict=True), start=1):
            panoptic[0, mask] = label + number * INSTANCE_OFFSET
        sample.pred_panoptic_seg = PixelData(sem_seg=panoptic, metainfo=dict(ignore_index=void))
        sample.pred_sem_seg = PixelData(sem_seg=torch.where(semantic == 255, 0, semantic))
        sample.pred_instances = InstanceData(
            labels=things.labels, masks=masks, scores=torch.ones(len(masks)),
            bboxes=things.bboxes.tensor)
        return sample

    return predict


@pytest.fixture(scope='session')
def small_models():
    """Folder with ``clip/`` and ``stable_diffusion/``, as they come with mmodise."""
    return Path(locate('mmodise://shapes/clip')).parent


@pytest.fixture(scope='session')
def small_sd3(tmp_path_factory):
    """Folder with a small Stable Diffusion 3 of random weights."""
    from mmodise.benchmark.small_diffusion_transformer import make_stable_diffusion_3
    folder = tmp_path_factory.mktemp('small_sd3')
    make_stable_diffusion_3(folder)
    return folder


@pytest.fixture(scope='session')
def small_amused(tmp_path_factory):
    """Folder with a small aMUSEd of random weights."""
    from mmodise.benchmark.small_token_generator import make_amused
    folder = tmp_path_factory.mktemp('small_amused')
    make_amused(folder)
    return folder


@pytest.fixture(scope='session')
def small_xl(tmp_path_factory):
    """Folder with a small Stable Diffusion XL of random weights, in three forms."""
    from mmodise.benchmark.small_stable_diffusion_xl import make_stable_diffusion_xl
    folder = tmp_path_factory.mktemp('small_xl')
    make_stable_diffusion_xl(folder)
    return folder


@pytest.fixture(scope='session')
def demo_dir(tmp_path_factory):
    """Folder to run the small recipe in: ``data/shapes`` with four images a split."""
    folder = tmp_path_factory.mktemp('demo')
    for split in ('train', 'val'):
        make_split(split, 4, folder / 'data/shapes')
    return folder


@pytest.fixture(scope='session')
def small_checkpoint(demo_dir):
    """Checkpoint of the small recipe's model with random weights, seed 1."""
    from mmdet.registry import MODELS
    from mmengine.config import Config
    from mmengine.registry import init_default_scope
    init_default_scope('mmdet')
    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng():
        patch.chdir(demo_dir)
        cfg = Config.fromfile(SMALL_CONFIG).model
        # loading CLIP draws random numbers, unless another test's model has it: now this one has
        _keeps_clip = MODELS.build(cfg)
        torch.manual_seed(1)
        model = MODELS.build(cfg)
    path = demo_dir / 'random.pth'
    dataset_meta = mmodise.datasets.ShapesPanopticDataset.METAINFO
    torch.save(dict(meta=dict(dataset_meta=dataset_meta), state_dict=model.state_dict()), path)
    return path
