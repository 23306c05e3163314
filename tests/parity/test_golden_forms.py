"""The comparison reads every golden set of its form, and tells what differs in it."""

import importlib
import shutil
from functools import cache
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


@pytest.fixture(scope='module')
def written(parts, tmp_path_factory):
    """Give a function that writes the set of a setting, once."""
    _, writer = parts

    @cache
    def written(name):
        folder = tmp_path_factory.mktemp(name)
        writer.write_golden_set(
            folder, MINI, writer.Setting(**SETTINGS[name]), tmp_path_factory.mktemp('weights'))
        return folder

    return written


@pytest.fixture
def verify(parts, capsys, monkeypatch):
    """Give a function that compares a set: what failed, and all that was compared."""
    tool, _ = parts
    monkeypatch.setattr(tool, 'MOST_RUNS', 1)

    def verify(folder):
        with pytest.raises(SystemExit) as end:
            tool.main([str(folder), '--all'])
        printed = capsys.readouterr().out
        assert 'jump' not in printed
        lines = [[cell.strip() for cell in line.split('|')[1:-1]] for line in printed.splitlines()
                 if line.startswith('| ')][2:]
        failed = {' '.join(filter(None, line[:3])) for line in lines if line[-1] == '**FAIL**'}
        assert end.value.code == bool(failed)
        return failed, {' '.join(filter(None, line[:3])) for line in lines}

    return verify


# of FC-CLIP, other in everything: no things; pictures smaller than a cell; one template
FCCLIP = {
    'golden_fcclip': dict(
        meta=dict(
            arch=dict(
                clip=dict(depths=[1, 2, 1, 1], dims=[16, 24, 40, 48], embed_dim=32, image_size=96,
                          text_cfg=dict(width=64, heads=4, layers=1)),
                head=dict(dim=32, heads=4, enc_layers=1, dec_layers=2, queries=7, dec_ffn=48,
                          points=32), encoder_ffn=64),
            vocab=[['sky', 'blue sky'], ['lawn']], things=[], topk=5, alpha=0.2,
            overlap_thresholds=[0.8]),
        sizes=[(65, 130)], num_masks=[2], templates=['{}']),
    'golden_fcclip_rn': dict(
        meta=dict(
            arch=dict(
                clip=dict(embed_dim=40, vision_cfg=dict(layers=[2, 1, 1, 1], width=8,
                                                        image_size=96)),
                head=dict(dec_layers=1, enc_layers=1, queries=30)),
            vocab=[['dog'], ['ball'], ['car']], things=[0, 1, 2], topk=40, beta=1.0,
            train_labels=[['person'], ['dog']], train_things=[0, 1]),
        sizes=[(64, 96), (20, 31), (128, 128)], num_masks=[1, 0, 3],
        templates=['a photo of a {}.', 'one {}'])}


@pytest.mark.parametrize('name', FCCLIP)
def test_every_form_of_fcclip_is_read(parts, verify, tmp_path, name):
    writer = importlib.import_module('golden_writer_fcclip')
    setting = dict(FCCLIP[name])
    templates = setting.pop('templates')
    writer.write_fcclip_set(
        tmp_path / 'set', ROOT / 'tests/data' / name, parts[1].Setting(**setting), templates,
        tmp_path)
    failed, compared = verify(tmp_path / 'set')
    assert not failed
    files = arrays_of(tmp_path / 'set')
    assert files['train']['grad_samples'].any()
    for file in set(files) - {'inputs', 'common'}:
        assert {f'fcclip {file} {array.removesuffix("_packed")}' for array in files[file]
                if not array.startswith(('rand', 'grad_samples', 'valid.', 'semantic_only'))
                } <= compared
    assert 'fcclip img0_semantic_only out.sem_argmax' in compared
    assert ('fcclip img0_valid out.panoptic.thr0.8' in compared) == (name == 'golden_fcclip')


def arrays_of(folder):
    """The arrays of each file."""
    return {path.stem: dict(np.load(path)) for path in folder.glob('*.npz')}


@pytest.mark.parametrize('name', SETTINGS)
def test_every_form_is_read(verify, written, name):
    failed, compared = verify(written(name))
    assert not failed
    for file, arrays in arrays_of(written(name)).items():
        for array in arrays:
            stage = f'{file.replace("_", " ")} {array.removesuffix("_packed")}'
            if file not in ('inputs', 'common') and not array.startswith(('rand', 'grad_samples')):
                assert stage in compared


def test_timesteps_differ_by_model_and_windows_are_many(written):
    files = arrays_of(written('timesteps'))
    label, caption = files['label_img0'], files['caption_img0']
    assert len(label['win5.clip_input']) == 1024 < 3 * 160**2, 'a sample'
    assert 'win5.step1.unet3' in caption and not any('step1' in name for name in label)
    assert 'win0.noisy_latent' in label and 'win0.noisy_latent' not in caption
    assert label['out.inst.scores'].size


def test_a_set_may_hold_arrays_without_elements(written):
    files = arrays_of(written('nothing'))
    for kind in ('label', 'caption'):
        assert files[f'{kind}_img0']['out.inst.scores'].shape == (0, )
        assert files[f'{kind}_train']['rand01'].shape == (0, 96, 2)


def test_a_negative_timestep_has_no_noise(written):
    arrays = arrays_of(written('things'))['caption_img1']
    assert np.array_equal(arrays['win0.latent'], arrays['win0.step1.noisy_latent'])
    assert [int(arrays[f'win0.{step}timesteps'][0]) for step in ('', 'step1.', 'step2.')] == [
        250, 0, 7]


def test_what_differs_fails_by_name(verify, written, tmp_path):
    folder = tmp_path / 'harmed'
    shutil.copytree(written('timesteps'), folder)

    def change_label(arrays):
        arrays['win5.clip_input'] = arrays['win5.clip_input'] * 1.001
        arrays['clip.patch_masked_out_packed'] ^= 1
        del arrays['win2.enc0']  # which is the caption model's, too
        for name in ('scores', 'classes', 'mask_areas'):  # the last instance is not there
            arrays[f'out.inst.{name}'] = arrays[f'out.inst.{name}'][:-1]
        del arrays['out.inst.masks_packed']

    def change_caption(arrays):
        arrays['win4.step1.unet2'][5] += 1
        arrays['win0.step1.timesteps'] += 1
        arrays['win0.step1.noisy_latent'] = arrays['win0.step1.noisy_latent'][:, :3]
        arrays['win0.step2.unet0'] = np.zeros(4, np.float32)
        arrays['out.panoptic.thr0'][:9] = 99  # a segment that is in no list

    def change_step(arrays):
        arrays['grad_samples'][0] += 1
        arrays['head.word_embed'][0] += 1

    rewrite(folder / 'label_img0.npz', change_label)
    rewrite(folder / 'caption_img0.npz', change_caption)
    rewrite(folder / 'caption_train.npz', change_step)
    np.savez(folder / 'more.npz', a=np.zeros(1))
    (folder / 'label_train.npz').unlink()
    failed, _ = verify(folder)
    assert failed == {
        'label img0 win2.enc0 (listed, not stored)', 'more.npz file (unknown)',
        'label_train.npz file (not there)',
        'label img0 win5.clip_input', 'caption img0 win5.clip_input',
        'label img0 clip.patch_masked_out', 'label img0 out.inst (surplus)',
        'label img0 out.inst.scores (of another shape)',  # which the statistics know of
        'caption img0 win4.step1.unet2', 'caption img0 win0.step1.timesteps',
        'caption img0 win0.step1.noisy_latent (of another shape)',
        'caption img0 win0.step2.unet0 (unknown)', 'caption img0 out.panoptic.thr0',
        'caption train gradient backbone.feature_extractor.clip_project.positional_embedding',
        'caption train head.word_embed'}


def rewrite(path, change):
    with np.load(path) as file:
        arrays = dict(file)
    change(arrays)
    np.savez(path, **arrays)
