"""Our models compute what the official release computes, stage by stage."""

import importlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
MINI = ROOT / 'tests/data/golden_mini'
OPEN = ROOT.parent / 'shared/golden/open'


@pytest.fixture(scope='module')
def tool():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / 'tests/parity')
        yield importlib.import_module('verify_parity')


def verify(tool, folder, *options):
    with pytest.raises(SystemExit) as end:
        tool.main([str(folder), *options])
    return end.value.code


def test_both_models_equal_the_official_ones(tool, tmp_path, capsys):
    assert verify(tool, MINI, '--markdown', str(tmp_path / 'table.md')) == 0
    printed = capsys.readouterr().out
    written = (tmp_path / 'table.md').read_text(encoding='utf-8')
    assert len(written.splitlines()) < len(printed.splitlines())
    for stage in ('win*.unet3', 'pred.aux*.mask_embed', 'clip.mask_embed', 'segments.thr0 ',
                  'loss loss_mask_word', 'gradient backbone.feature_extractor'):
        assert stage in printed and stage in written
    for text in (printed, written):
        assert ', 0 failed' in text and 'Left out: ' in text


@pytest.mark.parametrize(('name', 'stages'), [
    ('golden_fcclip', ('clip.pooled', 'loss total', 'gradient void_embedding', 'img1_valid ',
                       'img0_semantic_only ', 'img0_trainvocab ', 'segments.img1')),
    ('golden_fcclip_rn', ('clip.mask_embed', 'valid.mask_is_visible', 'dec.layer2.attn_mask'))])
def test_fcclip_equals_the_official_one(tool, capsys, name, stages):
    assert verify(tool, ROOT / 'tests/data' / name) == 0
    printed = capsys.readouterr().out
    assert ', 0 failed' in printed and 'jump' not in printed
    assert not [stage for stage in stages if stage not in printed]


@pytest.mark.skipif(not OPEN.is_dir(), reason='needs ../shared')
def test_weights_in_the_original_formats_give_the_official_numbers(tool):
    assert verify(tool, OPEN) == 0


@pytest.fixture
def golden(tmp_path):
    """A copy of the mini set's label model, for harm."""
    folder = tmp_path / 'golden'
    shutil.copytree(MINI, folder, ignore=shutil.ignore_patterns('caption*'))
    return folder


def rewrite(path, change):
    with np.load(path) as file:
        arrays = dict(file)
    change(arrays)
    np.savez(path, **arrays)


def test_what_differs_fails_by_name(tool, golden, capsys, monkeypatch):
    monkeypatch.setattr(tool, 'MOST_RUNS', 1)

    def change(arrays):
        arrays['win1.unet2'] = arrays['win1.unet2'] * 1.001
        arrays['out.panoptic.thr0'][:, :30] = 0  # void
        arrays['win0.hidden'] = np.ones(3, np.float32)  # a stage that nobody knows

    rewrite(golden / 'label_img0.npz', change)
    record = json.loads((golden / 'label.json').read_text(encoding='utf-8'))
    record['train']['losses_weighted']['loss_dice_1'] *= 1.001
    record['segments']['img1']['thr0'][0]['category_id'] += 1
    (golden / 'label.json').write_text(json.dumps(record), encoding='utf-8')
    assert verify(tool, golden) == 1
    lines = capsys.readouterr().out.splitlines()
    failed = {line.split('|')[3].strip() for line in lines if 'FAIL' in line}
    assert failed == {'win1.unet2', 'out.panoptic.thr0', 'win0.hidden (unknown)',
                      'loss loss_dice_1', 'segments.thr0'}
    assert any('5 failed' in line for line in lines)


def test_other_weights_than_the_recorded_ones_are_refused(tool, golden):
    keys = json.loads((golden / 'keys_clip.json').read_text(encoding='utf-8'))
    next(entry for entry in keys.values() if entry[1])[1] += 1
    (golden / 'keys_clip.json').write_text(json.dumps(keys), encoding='utf-8')
    with pytest.raises(ValueError, match='generated otherwise than expected'):
        tool.main([str(golden)])


def test_a_folder_of_something_else_is_refused(tool, tmp_path):
    with pytest.raises(FileNotFoundError, match='no golden set'):
        tool.main([str(tmp_path)])
