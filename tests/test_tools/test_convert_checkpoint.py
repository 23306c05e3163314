import json
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.runner import load_checkpoint

ROOT = Path(__file__).parents[2]
SMALL_CONFIG = ROOT / 'configs/odise/odise_sd-small_shapes-panoptic.py'
PARTS = ROOT / 'tests/data/golden_open_parts/parts.json'


@pytest.fixture(scope='module')
def run(load_tool):
    """Give a function that runs tools/model_converters/convert_checkpoint.py in this process."""
    main = load_tool('convert_checkpoint').main
    return lambda *args: main([str(arg) for arg in args])


@pytest.fixture
def official(golden_file, kind, tmp_path):
    """A checkpoint as the official release saves it, with the versions of its modules."""
    model = OrderedDict(torch.load(golden_file(kind), weights_only=True)['model'])
    versions = json.loads(PARTS.read_text())['metadata'][kind]
    model._metadata = OrderedDict(
        (name, dict(version=version)) for name, version in versions.items())
    torch.save(dict(model=model), tmp_path / f'odise_{kind}.pth')
    return tmp_path / f'odise_{kind}.pth'


@pytest.mark.parametrize(('kind', 'own'), [
    ('label', {'"no object"': '40'}), ('caption', {'objectness': '130'})])
def test_there_and_back_is_the_same(run, official, tmp_path, capsys, kind, own):
    run(official, tmp_path / 'ours.pth')
    lines = capsys.readouterr().out.splitlines()
    start = lines.index(f'{official} -> {tmp_path / "ours.pth"}')
    assert lines[start + 1] == f'ODISE {kind} model, checkpoint of mmodise, 2.5 MB; parameters:'
    counts = dict(line.strip().rsplit(None, 1) for line in lines[start + 2 : -1])
    others = {
        'captioner': '14,864', 'projections': '185,856', 'pixel decoder': '206,432',
        'decoder with mask embedder': '195,361', 'text projection': '2,624'}
    total = sum(int(count.replace(',', '')) for count in (others | own).values())
    assert counts == {**others, **own, 'all': f'{total:,}'}
    assert lines[-1].startswith('dropped: criterion.empty_weight (')
    run(tmp_path / 'ours.pth', tmp_path / 'back.pth', '--to-official')
    back, before = (
        torch.load(path, weights_only=True) for path in (tmp_path / 'back.pth', official))
    assert list(back) == list(before) == ['model']
    assert list(back['model']) == list(before['model'])
    assert back['model']._metadata == before['model']._metadata
    for name, value in before['model'].items():
        assert value.dtype == back['model'][name].dtype and torch.equal(value, back['model'][name])


def test_a_trained_model_becomes_official_and_is_loaded_again(
        run, small_checkpoint, demo_dir, monkeypatch, tmp_path, capsys):
    run(small_checkpoint, tmp_path / 'official.pth', '--to-official', '--num-classes', '7')
    assert 'label model, official format, ' in capsys.readouterr().out
    official = torch.load(tmp_path / 'official.pth', weights_only=True)['model']
    assert official['criterion.empty_weight'].tolist() == pytest.approx([*[1] * 7, 0.1])
    run(tmp_path / 'official.pth', tmp_path / 'ours.pth')
    monkeypatch.chdir(demo_dir)
    model = MODELS.build(Config.fromfile(SMALL_CONFIG).model)
    load_checkpoint(model, str(tmp_path / 'ours.pth'), strict=True)
    before = torch.load(small_checkpoint, weights_only=True)['state_dict']
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_what_cannot_be_done_is_told(run, small_checkpoint, tmp_path, capsys):
    existing = tmp_path / 'existing.pth'
    existing.write_text('precious')
    cases = [
        ((small_checkpoint, tmp_path / 'no/out.pth'), f'no folder {tmp_path / "no"} to write'),
        ((small_checkpoint, existing, '--to-official'), f'{existing} exists already'),
        (('none.pth', tmp_path / 'out.pth'), 'none.pth can not be found'),
        (('none.pth', tmp_path / 'out.pth', '--to-official'), 'none.pth can not be found'),
        ((existing, tmp_path / 'out.pth'), f'{existing} is text, not weights'),
        ((small_checkpoint, tmp_path / 'out.pth'), 'is one of ours'),
    ]
    for args, message in cases:
        with pytest.raises(SystemExit) as stop:
            run(*args)
        assert message in str(stop.value)
    assert not (tmp_path / 'out.pth').exists() and existing.read_text() == 'precious'
    with pytest.raises(SystemExit):
        run(small_checkpoint, tmp_path / 'out.pth', '--num-classes', '7')
    assert '--num-classes: give a positive number, and only with' in capsys.readouterr().err
