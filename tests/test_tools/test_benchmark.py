"""The benchmark books time and operations on the right parts; no test looks at how long it took."""

import ctypes
import importlib
import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / 'configs/odise/odise_sd-small_shapes-panoptic.py'
INFERENCE = [
    'preprocessing', "captioner's CLIP pass", 'captioner', 'VAE encoder', 'UNet', 'VAE decoder',
    'projections', 'backbone', 'pixel decoder', 'decoder and heads', 'text embeddings',
    'CLIP on masks', 'ensemble', 'results', 'rest']
TRAINING = [*INFERENCE[:-4], 'losses', 'backward', 'optimizer', 'rest']


@pytest.fixture(scope='module')
def tools(load_tool):
    """The tool and the modules that it measures with, by their names."""
    names = 'bench', 'machine', 'random_weights', 'report', 'subject', 'timing'
    return SimpleNamespace(benchmark=load_tool('benchmark'), **{
        name: importlib.import_module(f'mmodise.benchmark.{name}') for name in names})


@pytest.fixture
def run(tools, tmp_path, capsys):
    """Run the tool on the small model; what it wrote, what it printed, and its picture."""

    def run(*options):
        stem = tmp_path / 'out'
        tools.benchmark.main([
            str(CONFIG), '--device', 'cpu', '--size', '64', '--matmul-size', '64', '--repeats', '2',
            '--out', str(stem), *options])
        with Image.open(f'{stem}.png') as picture:
            picture.load()
        written = json.loads(Path(f'{stem}.json').read_text(encoding='utf-8'))
        return written, capsys.readouterr().out

    return run


def check_record(record, parts):
    """The lines add up, a call each and as medians; nothing is missing."""
    assert list(record['parts']) == parts
    found = record['parts'].values()
    assert sum(part['seconds'] for part in found) == pytest.approx(record['seconds'])
    for number, total in enumerate(record['calls']):
        assert sum(part['calls'][number] for part in found) == pytest.approx(total)
    assert sum(part['flops'] for part in found) == record['flops']
    assert record['share_of_peak'] == pytest.approx(
        record['flops'] / record['seconds'] / record['matmul_rate'])
    if Path('/proc/self/clear_refs').exists():  # Linux
        assert max(part['peak_memory'] for part in found) == record['peak_memory'] > 1e8


def test_time_is_booked_on_the_innermost_part(tools):
    shown = iter([0, 0, 3, 3, 10, 10, 30, 30, 100, 100, 104, 104])  # the clock: twice a booking
    account = tools.timing.Account(lambda: next(shown))
    inner = account.within('inner', lambda value: value + 1)
    with account.running('rest'), account.running('outer'):
        assert inner(1) == 2
    assert account.spent == {'rest': 3 + 4, 'outer': 7 + 70, 'inner': 20}


def test_time_of_a_part_that_fails_is_booked(tools):
    shown = iter([0, 0, 3, 3, 10, 10, 30, 30])
    account = tools.timing.Account(lambda: next(shown))
    with pytest.raises(ZeroDivisionError), account.running('rest'):
        account.within('part', lambda: 1 // 0)()
    assert account.spent == {'rest': 3 + 20, 'part': 7}


def test_what_was_freed_before_a_call_is_no_memory_of_it(tools):
    memory = tools.machine.memory_of(torch.device('cpu'))
    if memory is None or not hasattr(ctypes.CDLL(None), 'malloc_trim'):
        pytest.skip("needs Linux and glibc's allocator")
    blocks = [bytearray(2**16) for _ in range(2**12)]  # 256 MiB
    last = blocks.pop()  # above it on the heap there is nothing, so the rest stays the process's
    del blocks
    memory.reset()
    kept = memory.peak()
    memory.tidy()
    memory.reset()
    assert kept - memory.peak() > 200 * 2**20
    assert not any(last)


class Toy:
    """A subject of a convolution, attention and a linear layer, with known operations."""

    def __init__(self, training):
        self.model = nn.Module()
        self.model.data_preprocessor = nn.Conv2d(3, 8, 3, padding=1)
        self.model.neck = nn.MultiheadAttention(8, 2, batch_first=True).eval()
        self.model.head = nn.Linear(8, 5, bias=False)
        self.model.requires_grad_(training)
        self.optim_wrapper = SimpleNamespace(backward=lambda loss: loss.backward())
        self.training = training

    def images(self):
        return torch.rand(2, 3, 4, 4)

    def call(self, images):
        maps = self.model.data_preprocessor(images).flatten(2).mT  # (2, 16, 8)
        maps, _ = self.model.neck(maps, maps, maps, need_weights=False)
        query = maps.unflatten(-1, (2, 4)).transpose(1, 2)  # (2, 2, 16, 4)
        F.scaled_dot_product_attention(query, query, query)
        loss = self.model.head(maps).sum()
        if self.training:
            self.optim_wrapper.backward(loss)


@pytest.mark.parametrize('training', [False, True])
def test_operations_of_known_layers(tools, training):
    flops = tools.timing.count_flops(Toy(training))
    conv, linear = 2 * 2 * 16 * 8 * 3 * 9, 2 * 2 * 16 * 8 * 5
    attention = 2 * 2 * 2 * 16 * 16 * 8  # two products over 16 tokens of all heads, 8 channels
    projections = 2 * 2 * 16 * 8 * (24 + 8)
    assert flops['preprocessing'] == conv
    assert flops['neck'] == projections + attention
    assert flops['head'] == linear
    assert flops['rest'] == attention
    if training:  # of the images none; attention's backward pass makes its weights again
        assert flops['backward'] == conv + 2 * (projections + linear) + attention * 5 // 2
    assert torch.backends.mha.get_fastpath_enabled()


def test_parts_that_are_compiled(tools):
    toy = Toy(False)
    toy.model.head.compile(backend='eager')
    timing = tools.timing
    assert 'model.head._compiled_call_impl' in timing.part_methods(toy)
    account = timing._booked_call(toy, timing.Account(lambda: 0))
    assert set(account.spent) == {'preprocessing', 'neck', 'head', 'rest'}
    assert timing.count_flops(toy)['head'] == 2 * 2 * 16 * 8 * 5


def test_inference(run):
    written, printed = run('--num-classes', '7', '--batch', '2')
    point, = written['points']
    record, = point['runs']
    check_record(record, INFERENCE)
    assert record['call'] == 'inference' and record['batch'] == 2 and record['size'] == [64, 64]
    assert record['random_weights'] == []
    assert len(point['matmul']['float32']['rates']) == 3, 'before each round, and after the last'
    parts = record['parts']
    # CLIP: 4 layers over 257 tokens of 128 channels, attention of 64 to 64; 256 patches of 192
    layer = 257 * 128 * 128 * 12 + 2 * 257 * 257 * 128
    assert parts["captioner's CLIP pass"]['flops'] == pytest.approx(
        2 * 2 * (4 * layer + 256 * 192 * 128 + 128 * 64))
    assert parts['text embeddings']['flops'] == 0, 'embedded in the first call'
    assert record['first_call']['texts'] > 0
    for word in ('CLIP on masks', 'in all', 'The timer covers', 'not counted', 'GFLOP/s',
                 '2 x 64 x 64', 'for texts'):
        assert word in printed


def test_a_step_of_training(run):
    written, _ = run('--train', '--num-classes', '7', '--precision', 'bfloat16')
    record, = written['points'][0]['runs']
    check_record(record, TRAINING)
    assert record['call'] == 'training step'
    assert record['parts']['backward']['flops'] > record['parts']['decoder and heads']['flops'] > 0
    assert record['parts']['optimizer']['flops'] == 0
    assert list(written['points'][0]['matmul']) == ['bfloat16']


def test_a_config_compared_with_itself(run):
    written, printed = run('--compare', str(CONFIG))
    point, = written['points']
    one, other = point['runs']
    check_record(one, INFERENCE)
    check_record(other, INFERENCE)
    assert {name: part['flops'] for name, part in one['parts'].items()} == {
        name: part['flops'] for name, part in other['parts'].items()}
    ratios = point['ratios']
    assert ratios['flops'] == 1 and list(ratios['parts']) == INFERENCE
    for ratio in (ratios['seconds'], ratios['peak_memory'], *ratios['parts'].values()):
        assert math.isfinite(ratio) and ratio > 0
    assert 'A / B' in printed and 'B: inference, 1 x 64 x 64' in printed


def test_a_comparison_may_differ_in_everything(run):
    written, printed = run('--compare', 'batch=2', 'precision=bfloat16', 'size=64x128',
                           'model.classifier=None')
    one, other = written['points'][0]['runs']
    assert (other['batch'], other['size'], other['precision']) == (2, [64, 128], 'bfloat16')
    assert other['options'] == {'model.classifier': None} and one['options'] == {}
    check_record(other, [part for part in INFERENCE if part not in ('CLIP on masks', 'ensemble')])
    ratio = one['parts']['pixel decoder']['flops'] / other['parts']['pixel decoder']['flops']
    assert ratio == 1 / 4
    assert 'CLIP on masks' in printed
    assert list(written['points'][0]['matmul']) == ['float32', 'bfloat16']


def test_growth_over_classes(run):
    written, printed = run('--sweep', 'classes=2,20', '--repeats', '1')
    assert (written['sweep'], written['values']) == ('classes', [2, 20])
    few, many = (point['runs'][0] for point in written['points'])
    assert few['classes'] == 2 and many['classes'] == 20
    # to resize the masks takes the same for any number of classes; scores of 18 more classes come
    # from 12 masks at each of 64 x 64 pixels
    more = many['parts']['results']['flops'] - few['parts']['results']['flops']
    assert more == 18 * 2 * 12 * 64 * 64
    assert many['parts']['UNet']['flops'] == few['parts']['UNet']['flops']
    assert 'classes = 20' in printed


def test_large_vocabularies_do_without_panoptic_results(tools, capsys):
    setting = tools.subject.Setting(CONFIG)
    few, many = ([setting.changed('classes', number)] for number in (999, 1000))
    assert tools.bench.without_panoptic([few]) == [few]
    points = tools.bench.without_panoptic([few, many])
    assert [point[0].classes for point in points] == [999, 1000]
    assert all(point[0].options == {'model.test_cfg.panoptic_on': False} for point in points)
    assert not points[0][0].read_config().model.test_cfg.panoptic_on
    assert '1000 classes are more than panoptic results can hold' in capsys.readouterr().out


def test_growth_over_a_setting_of_the_config(run):
    written, _ = run('--sweep', 'model.backbone.window_size=32,64', '--repeats', '1')
    counts = [point['runs'][0]['parts']['UNet']['flops'] for point in written['points']]
    assert counts[0] == 4 * counts[1], 'a window of any size is enlarged to the same size'


def test_equal_frozen_weights_are_in_memory_once(tools):
    Subject = tools.subject.Subject
    setting = tools.subject.Setting(CONFIG, size=(64, 64))
    one, other = Subject(setting), Subject(setting)
    trained = sum(p.nbytes for p in one.model.parameters())
    extractor = other.model.backbone.extractor.frozen.unet
    frozen = sum(p.nbytes for p in extractor.parameters())
    only_others = tools.timing._only_others
    before = only_others(one, [one, other])
    other.share_frozen(one)
    after = only_others(one, [one, other])
    assert before - after >= frozen
    assert trained <= after < trained + 1e5, 'what is trained, and buffers'


OFFICIAL = {
    'matmul_rate': 300e9, 'seconds': 10.0, 'peak_memory_gib': 12.0, 'what': 'there',
    'parts': {'UNet': 6.0, 'text encoder on ""': 1.0, 'rest': 3.0}}


def test_the_unit_of_a_comparison_with_the_official_release(tools):
    record = dict(
        matmul_rate=100e9, seconds=9.0, peak_memory=6 * 2**30,
        parts={name: dict(seconds=seconds) for name, seconds in (
            ('UNet', 6.0), ('captioner', 1.0), ('rest', 2.0))})
    found = tools.report.against_official(record, OFFICIAL)
    assert (found['official'], found['ours']) == (3000e9, 900e9)
    assert found['parts'] == {
        'UNet': (1800e9, 600e9), 'text encoder on ""': (300e9, 0.0), 'rest': (900e9, 300e9)}
    lines = tools.report.official_table(found).splitlines()
    assert [cell.strip() for cell in next(line for line in lines if 'in all' in line).split('|')] \
        == ['', 'in all', '3,000', '900', '3.33', '']
    assert next(line for line in lines if 'peak' in line).split('|')[-2].strip() == '2.00'


def test_official_figures_add_up(tools):
    Setting, official_of = tools.subject.Setting, tools.report.official_of
    for side in (512, 1024):
        official = official_of(Setting(CONFIG, size=(side, side)))
        assert sum(official['parts'].values()) == pytest.approx(official['seconds'], rel=0.01)
        known = [*tools.timing.PARTS, 'text encoder on ""', 'rest']
        assert set(official['parts']) <= set(known)
    with pytest.raises(ValueError, match='512 x 512 or 1024 x 1024'):
        official_of(Setting(CONFIG, size=(640, 640)))


def test_against_the_official_release(run, tools, monkeypatch):
    monkeypatch.setattr(tools.report, 'official_of', lambda setting: OFFICIAL)
    written, printed = run('--official')
    record, = written['points'][0]['runs']
    assert written['official']['ours'] == pytest.approx(record['seconds'] * record['matmul_rate'])
    assert 'official / ours' in printed


def test_weights_that_are_not_local_are_random(tools):
    small = dict(
        unet=dict(block_out_channels=(32, 32, 32, 32), cross_attention_dim=16),
        vae=dict(block_out_channels=(32, 32, 32, 32)))
    clip = dict(model='ViT-B-32', pretrained='openai', architecture=dict(
        embed_dim=32, vision_cfg=dict(layers=1, width=64, image_size=64),
        text_cfg=dict(layers=1, width=64)))
    options = {
        'model.backbone.extractor.pretrained': 'nobody/nothing',
        'model.backbone.extractor.architecture': small}
    for part in ('backbone.captioner', 'panoptic_head', 'classifier'):
        options.update({f'model.{part}.clip.{name}': value for name, value in clip.items()})
    Setting, Subject = tools.subject.Setting, tools.subject.Subject
    setting = Setting(CONFIG, options, size=(64, 64), classes=3)
    subject = Subject(setting)
    assert subject.random == ['nobody/nothing', 'ViT-B-32 (openai)']
    frozen = subject.model.backbone.extractor.frozen
    assert frozen.unet.config.sample_size == 64 and frozen.unet.conv_in.out_channels == 32
    assert len(subject.model.classifier.clip.frozen.model.visual.transformer.resblocks) == 1
    subject.call(subject.images())
    other = Subject(setting)
    assert torch.equal(frozen.unet.conv_in.weight,
                       other.model.backbone.extractor.frozen.unet.conv_in.weight)


def test_images_and_annotations_are_those_asked_for(tools):
    Setting, Subject = tools.subject.Setting, tools.subject.Subject
    subject = Subject(Setting(CONFIG, training=True, size=(64, 96), batch=2, classes=5, objects=4))
    data = subject.images()
    assert [tuple(image.shape) for image in data['inputs']] == [(3, 64, 96)] * 2
    sample = data['data_samples'][0]
    assert sample.gt_instances.labels.tolist() == [0, 1, 2, 0], '3 things and 2 stuff classes'
    assert sample.gt_instances.masks.masks.sum((1, 2)).tolist() == [32 * 24] * 4
    assert sample.gt_sem_seg.sem_seg.unique().tolist() == [3, 4]
    first, second = [], []
    labelled = Subject(Setting(CONFIG, size=(64, 64), classes=5))
    for names in (first, second):  # texts that the model has not seen
        labelled.use(labelled.setting)
        sample = labelled.images()['data_samples'][0]
        names += [name for name, in (*sample.text, *sample.stuff_text)]
    assert len(first) == len(second) == 5 and not set(first) & set(second)


@pytest.mark.parametrize(('options', 'message'), [
    (['--size', '0'], "size='0' is neither"),
    (['--batch', '0'], 'batch=0 is not a number above 0'),
    (['--official', '--size', '64'], '512 x 512 or 1024 x 1024'),
    (['--sweep', 'batch'], 'is not KEY=VALUE'),
    (['--sweep', 'precision=float64'], "precision='float64' is not one of float32"),
    (['--compare', 'nowhere.py'], 'There is no config nowhere.py'),
    (['--compare', 'batch=2', 'nowhere.py'], 'neither a config at the start nor KEY=VALUE'),
    (['--compare', 'model.classifier.alhpa=1'], 'model.classifier.alhpa: did you mean alpha'),
    (['--train', '--precision', 'float16'], 'needs a GPU'),
])
def test_what_cannot_be_is_refused_before_anything_is_built(tools, tmp_path, options, message):
    with pytest.raises(SystemExit) as stop:
        tools.benchmark.main([
            str(CONFIG), '--device', 'cpu', '--out', str(tmp_path / 'out'), *options])
    assert message in stop.value.code
    assert not list(tmp_path.iterdir())


def test_wrapped_methods_come_back(tools):
    recording = importlib.import_module('mmodise.benchmark.recording')
    layer = nn.Linear(2, 2)
    layer.extra = extra = lambda: 'own'
    wrap = {'forward': lambda method: lambda x: method(x) + 1, 'extra': lambda method: 'other'}
    x = torch.zeros(1, 2)
    before = layer(x)
    with pytest.raises(KeyError), recording.wrapped(layer, wrap):
        assert torch.equal(layer(x), before + 1) and layer.extra == 'other'
        raise KeyError
    assert torch.equal(layer(x), before) and layer.extra is extra
    assert 'forward' not in vars(layer)
