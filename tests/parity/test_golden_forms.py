"""The comparison reads every golden set of its form, and tells what differs in it."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
MINI = ROOT / 'tests/data/golden_mini'


@pytest.fixture(scope='module')
def parts():
    """The tool, and what writes sets for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / 'tests/parity')
        yield importlib.import_module('verify_parity'), importlib.import_module('golden_writer')


# widths, sizes and numbers of everything are others than in the sets that are stored
SETTINGS = {
    # the models read at different timesteps; more windows than CLIP sees at once; captions of which
    # one has no words
    'timesteps': dict(
        meta=dict(
            steps=dict(label=[0], caption=[0, 100]),
            arch=dict(clip=dict(vision_cfg=dict(image_size=160, patch_size=32)))),
        sizes=[(150, 260), (70, 128), (64, 64)], num_masks=[3, 0],
        words=[['dog', 'lawn', 'red car'], []]),
    # no noise; only stuff, so that there are no instances; nothing to train on
    'nothing': dict(
        meta=dict(
            steps=[-1], vocab=[['sky', 'blue sky'], ['lawn']], things=[], train_things=[],
            overlap_thresholds=[0.8],
            arch=dict(
                head=dict(conv_dim=32, mask_dim=32, enc_heads=4, dec_heads=4, num_queries=7,
                          enc_layers=1, dec_layers=2),
                backbone=dict(projection_dim=256), num_points=32, topk=5)),
        sizes=[(65, 130)], num_masks=[0], words=[[]]),
    # only things, of one name each; a batch of three
    'things': dict(
        meta=dict(
            steps=dict(caption=[250, -1, 7]), vocab=[['dog'], ['ball'], ['car']], things=[0, 1, 2],
            train_labels=[['person'], ['dog']], train_things=[0, 1], object_mask_threshold=0.2,
            arch=dict(
                head=dict(num_queries=30, dec_layers=1, enc_layers=2), topk=40,
                clip=dict(embed_dim=24, text_cfg=dict(width=64, heads=4, layers=1)))),
        sizes=[(64, 96), (90, 64), (128, 128)], num_masks=[1, 2, 3],
        words=[['dog'] * 2, ['lawn', 'sky'], ['sea'] * 2], kinds=['caption'])}


@pytest.fixture(scope='module', params=SETTINGS)
def golden(parts, tmp_path_factory, request):
    """A set of each setting."""
    return written(parts, tmp_path_factory, request.param)


def written(parts, tmp_path_factory, name):
    folder, work_dir = (tmp_path_factory.mktemp(name) for name in ('golden', 'weights'))
    _, writer = parts
    writer.write_golden_set(folder, MINI, writer.Setting(**SETTINGS[name]), work_dir)
    return folder


@pytest.fixture
def verify(parts, capsys, monkeypatch):
    """Give a function that compares a set: the lines of what failed, and all lines."""
    tool, _ = parts
    monkeypatch.setattr(tool, 'MOST_RUNS', 1)

    def verify(folder):
        with pytest.raises(SystemExit) as end:
            tool.main([str(folder), '--all'])
        lines = capsys.readouterr().out.splitlines()
        cells = [[cell.strip() for cell in line.split('|')] for line in lines if '**FAIL**' in line]
        failed = {' '.join(filter(None, line[1:4])) for line in cells}
        assert end.value.code == bool(failed)
        return failed, lines

    return verify


def test_every_form_is_read(verify, golden):
    failed, lines = verify(golden)
    assert not failed
    assert not any('jumps' in line for line in lines)
    arrays = [np.load(file) for file in golden.glob('*_*.npz')]
    stages = sum(not name.startswith(('rand', 'grad_samples')) for file in arrays for name in file)
    assert len(lines) > stages > 60
    # nothing else than what is left out by name
    assert not any('unknown' in line or 'listed' in line for line in lines)


def test_sets_hold_what_they_are_made_for(golden):
    """Otherwise the test above would read nothing new."""
    name = golden_name(golden)
    meta = json.loads((golden / 'meta.json').read_text())
    files = {path.stem: dict(np.load(path)) for path in golden.glob('*_*.npz')}
    if name == 'timesteps':
        assert {'win11.clip_input', 'win0.noisy_latent'} <= files['label_img0'].keys()
        assert 'win11.step1.unet3' in files['caption_img0']
        assert not any('step1' in array for array in files['label_img0'])
        assert 'win0.noisy_latent' not in files['caption_img0']  # as the label model's
        assert len(files['label_img0']['win3.clip_input']) == 1024 < 3 * 160**2  # sampled
        assert files['label_img0']['out.inst.scores'].size > 0
    elif name == 'nothing':
        for kind in ('label', 'caption'):
            assert files[f'{kind}_img0']['out.inst.scores'].shape == (0, )
            assert files[f'{kind}_train']['rand02'].shape == (1, 24, 2)[:0] + (0, 96, 2)
        latent, noisy = (files['label_img0'][f'win0.{key}'] for key in ('latent', 'noisy_latent'))
        np.testing.assert_array_equal(latent, noisy)
    else:
        assert meta['vocab'] == [['dog'], ['ball'], ['car']]
        assert {'win0.step2.unet0', 'win0.step1.noisy_latent'} <= files['caption_img1'].keys()
        assert [int(files['caption_img0'][f'win0.{key}timesteps'][0])
                for key in ('', 'step1.', 'step2.')] == [250, 0, 7]


def golden_name(folder):
    return 'timesteps' if (folder / 'label_img1.npz').exists() else (
        'nothing' if (folder / 'label_img0.npz').exists() else 'things')


@pytest.fixture
def harmed(parts, tmp_path_factory):
    """A set with two timesteps, for harm."""
    return written(parts, tmp_path_factory, 'timesteps')


def rewrite(path, change):
    with np.load(path) as file:
        arrays = dict(file)
    change(arrays)
    np.savez(path, **arrays)


def test_one_array_that_differs_fails_alone(verify, harmed):
    def change_label(arrays):
        for name in ('win11.clip_input', 'win3.vae_h', 'out.inst.scores'):
            arrays[name] = arrays[name] * 1.01
        arrays['clip.patch_masked_out_packed'] ^= 255
        del arrays['win2.enc0']  # of the caption model, too
        for name in list(arrays):  # an instance less than there is
            if name.startswith('out.inst') and not name.endswith('_packed'):
                arrays[name] = arrays[name][1:]

    def change_caption(arrays):
        arrays['win7.step1.unet2'][5] += 1
        arrays['win0.step1.timesteps'] += 1
        arrays['win0.step1.noisy_latent'] = arrays['win0.step1.noisy_latent'][:, :3]
        arrays['win0.step2.unet0'] = np.zeros(4, np.float32)
        arrays['out.panoptic.thr0'][0, 0] = 99  # a segment that is in no list

    def change_train(arrays):
        arrays['grad_samples'][0] += 1
        arrays['head.word_embed'][0] += 1

    rewrite(harmed / 'label_img0.npz', change_label)
    rewrite(harmed / 'caption_img0.npz', change_caption)
    rewrite(harmed / 'caption_train.npz', change_train)
    np.savez(harmed / 'more.npz', a=np.zeros(1))
    failed, _ = verify(harmed)
    print(failed)
    assert failed == 0
