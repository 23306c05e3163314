"""The benchmark books time and operations on the right parts; no test looks at how long it took."""

import ctypes
import importlib
import json
import math
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData, PixelData
from PIL import Image
from torch import nn

from mmodise.checkpoints.stable_diffusion import load_stable_diffusion, load_text_encoder
from mmodise.models.clip import FrozenCLIP

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
    names = 'agreement', 'bench', 'machine', 'report', 'side_by_side', 'subject', 'timing'
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
    if importlib.util.find_spec('resource'):
        for what in ('user', 'system', 'faults'):
            assert sum(part[what] for part in found) == pytest.approx(record[what])
        assert record['user'] > 0
    assert record['share_of_peak'] == pytest.approx(
        record['flops'] / record['seconds'] / record['matmul_rate'])
    if Path('/proc/self/clear_refs').exists():  # Linux
        assert max(part['peak_memory'] for part in found) == record['peak_memory'] > 1e8


#: A process of its own, whose memory no other test has cut up.
FREE_MEMORY = """
import torch
from mmodise.benchmark import heap

blocks = [bytearray(2**14) for _ in range(2**13)]  # 128 MiB
last = blocks.pop()
del blocks

def comes_from_the_system():
    tensor = torch.empty(2**24)  # 64 MiB
    return heap.is_mapped(tensor.data_ptr())

assert not comes_from_the_system(), 'but from what is free'
for _ in range(2):
    with heap.untuned():
        assert comes_from_the_system()
assert not any(last)
"""


def test_a_comparison_has_no_free_memory_that_one_model_would_lack():
    if not hasattr(ctypes.CDLL(None), 'gnu_get_libc_version'):
        pytest.skip("needs glibc's allocator")
    subprocess.run([sys.executable, '-c', FREE_MEMORY], check=True)


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

    def tuning(self):
        return nullcontext()

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
    account = timing.Account(lambda: 0)
    timing._booked_call(toy, account)
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


def count(call):
    counter = importlib.import_module('mmodise.benchmark.flops').flop_counter()
    with counter, torch.no_grad():
        call()
    return counter.get_total_flops()


def test_what_the_official_arrangement_computes_beyond_ours(run):
    written, printed = run('--compare', 'official-arrangement', '--few-calls', '--size', '64x128',
                           '--cfg-options', 'model.backbone.window_size=64')
    point, = written['points']
    theirs, ours = point['runs']
    names = [*INFERENCE]
    names.insert(names.index('UNet'), 'text encoder on ""')
    check_record(theirs, names)
    check_record(ours, INFERENCE)
    more = {name: part['flops'] for name, part in theirs['parts'].items()
            if part['flops'] != ours['parts'].get(name, {}).get('flops')}
    source = 'mmodise://shapes/stable_diffusion'
    vae, unet, text = load_stable_diffusion(source)
    encoder, latents = load_text_encoder(source), torch.zeros(1, 4, 16, 16)
    expected = {  # of two windows, each enlarged to 128 x 128
        'text encoder on ""': 2 * count(lambda: encoder(torch.ones(text.shape[:2]).long())),
        'UNet': 2 * count(lambda: unet(latents, 0, text, class_labels=torch.zeros(
            1, 4 * unet.config.block_out_channels[0]))),
        'VAE decoder': 2 * count(lambda: vae.decode(latents))}
    tokens = 12 + 257  # 12 queries and the image's, in one attention
    layer = tokens * 128 * 128 * 12 + 2 * tokens * tokens * 128
    assert more.pop('CLIP on masks') == pytest.approx(
        2 * (4 * layer + 256 * 192 * 128 + 12 * 128 * 64), rel=1e-2), 'but for products with names'
    assert more.pop('results') < ours['parts']['results']['flops'], 'resized without products'
    assert more == expected
    assert point['agreement']['panoptic'] == point['agreement']['semantic'] == 1
    assert point['agreement']['scores'] < 1e-4
    assert theirs['official'] and not ours['official']
    for words in ('arranged as the official release', '100.000 % of the panoptic pixels',
                  'For this there are no figures'):
        assert words in printed


def test_a_training_step_of_the_official_arrangement(tools):
    Setting, Subject = tools.subject.Setting, tools.subject.Subject
    setting = Setting(CONFIG, training=True, size=(64, 64), classes=5, objects=3)
    ours, theirs = Subject(setting), Subject(replace(setting, official=True))
    ours.be_like(theirs)
    agreed = []
    products = dict(float32=tools.machine.MatrixProduct(torch.device('cpu'), 'float32', 64))
    results, _ = tools.timing.measure(
        [theirs, ours], 1, products,
        check=lambda *losses: agreed.append(tools.agreement.compare_outputs(*losses)))
    assert 0 <= agreed[0]['losses'] < 1e-5
    assert results[0].flops['backward'] > results[1].flops['backward']
    clips = {id(module.frozen) for module in theirs.model.modules()
             if isinstance(module, FrozenCLIP)}
    assert len(clips) == 3, 'of the captioner, the head and the classifier'
    unet = dict(theirs.model.backbone.extractor.frozen.unet.named_parameters())
    without = {name for name, weight in unet.items() if weight.grad is None}
    last = 'up_blocks.3.resnets.2.', 'up_blocks.3.attentions.2.', 'conv_norm_out.', 'conv_out.'
    assert without == {name for name in unet if name.startswith(last)}
    trained = {id(w) for group in theirs.optim_wrapper.optimizer.param_groups
               for w in group['params']}
    assert not trained & {id(weight) for weight in unet.values()}
    norm = torch.stack([w.grad.norm() for w in unet.values() if w.grad is not None]).norm()
    assert norm < theirs.optim_wrapper.clip_grad_kwargs['max_norm'], 'they count, and are clipped'
    assert all(weight.grad is None
               for weight in ours.model.backbone.extractor.frozen.unet.parameters())


def test_other_models_have_no_official_arrangement(tools):
    config = ROOT / 'configs/fcclip/fcclip_convnext-small_shapes-panoptic.py'
    with pytest.raises(ValueError, match='DiffusionBackbone'):
        tools.subject.Setting(config, official=True).read_config()


def test_models_of_other_results_are_no_comparison(run, tools, monkeypatch):
    compare = tools.agreement.compare_outputs
    assert compare(dict(loss=2.0), dict(loss=1.0)) == dict(losses=1.0)
    samples = [DetDataSample(pred_panoptic_seg=PixelData(sem_seg=torch.tensor([[[n, 1, 2, 3]]])),
                             pred_instances=InstanceData(scores=torch.tensor(scores)))
               for n, scores in ((0, [0.5, 0.25]), (1, [0.25, 1.0]))]
    assert compare(samples[:1], samples[1:]) == dict(panoptic=0.75, scores=0.5)
    with pytest.raises(tools.agreement.OutputsDiffer, match='differ by inf'):
        tools.agreement.check_agreement(dict(panoptic=1.0, losses=math.inf))
    monkeypatch.setattr(tools.bench, 'compare_outputs', lambda *_: dict(panoptic=0.75))
    with pytest.raises(SystemExit, match='panoptic pixels are equal'):
        run('--compare', 'official-arrangement')


def test_how_far_the_arrangement_is_from_the_official_release(tools):
    record = dict(call='inference', size=[1024, 1024], batch=1)
    found = tools.side_by_side.deviations(record, dict(seconds=2.057, peak_memory=1.77))
    assert found['seconds'] == (2.057, 1.87, pytest.approx(0.1))
    assert found['peak_memory'][2] == 0
    text = tools.side_by_side.deviation_text(record, dict(seconds=2.057, peak_memory=None))
    assert '+10 %' in text and 'c54fa3b' in text
    for figures in tools.side_by_side.read_official()['figures']:
        for name, unit in (('seconds', 'seconds'), ('peak_memory', 'peak_memory_gib')):
            official, ours = (sum(figures[who][unit]) / len(figures[who][unit])
                              for who in ('official', 'mmodise'))
            assert figures['ratios'][name] == pytest.approx(official / ours, rel=0.01)


def test_the_picture_of_ratios(tools, tmp_path):
    point = dict(runs=[{}, dict(call='inference', size=[512, 512], batch=1)],
                 ratios=dict(seconds=1.8, peak_memory=1.6))
    result = tmp_path / 'result.json'
    result.write_text(json.dumps(dict(day='2026-11-26', points=[point])), encoding='utf-8')
    tools.side_by_side.main([str(tmp_path / 'ratios.png'), str(result)])
    with Image.open(tmp_path / 'ratios.png') as picture:
        picture.load()


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
    other = Subject(replace(setting, official=True))
    encoder = other.model.backbone.extractor.frozen.text_encoder
    assert encoder.config.hidden_size == 16, 'as wide as the UNet reads'
    other.call(other.images())
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
    (['--compare', 'official-arrangement', 'batch=2'], 'official-arrangement stands alone'),
    (['--compare', 'official-arrangement', '--sweep', 'batch=1,2'], 'stands alone'),
    (['--compare', 'official-arrangement', '--cfg-options', 'model.classifier.soft_masks=True'],
     'official-arrangement: model.classifier.soft_masks=True'),
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
