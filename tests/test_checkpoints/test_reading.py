from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader

from mmodise.checkpoints import UnsafeFileError, reading_safely


def load(path):
    """Load as a runner of mmodise's does."""
    with reading_safely():
        return CheckpointLoader.load_checkpoint(str(path))


def test_a_checkpoint_is_read(tmp_path):
    torch.save(dict(state_dict=dict(weight=torch.ones(2))), tmp_path / 'good.pth')
    checkpoint = load(tmp_path / 'good.pth')
    assert checkpoint['state_dict']['weight'].tolist() == [1, 1]


def test_errors_name_the_file(tmp_path):
    torch.save(dict(weight=torch.ones(1000)), tmp_path / 'cut.pth')
    with open(tmp_path / 'cut.pth', 'r+b') as file:
        file.truncate(2000)
    (tmp_path / 'text.pth').write_text('hi')
    (tmp_path / 'empty.pth').write_bytes(b'')
    torch.save([torch.ones(1)], tmp_path / 'list.pth')
    for name, message in {
        'cut': r'cut\.pth \(2,000 bytes\) cannot be read as a checkpoint',
        'text': r'text\.pth is text, not weights',
        'empty': r'empty\.pth is empty \(0 bytes\)',
        'list': r"list\.pth is no checkpoint: expected a dict of weights, found <class 'list'>",
    }.items():
        with pytest.raises(ValueError, match=message):
            load(tmp_path / f'{name}.pth')
    with pytest.raises(FileNotFoundError, match=r'none\.pth'):
        load(tmp_path / 'none.pth')


def test_an_official_checkpoint_is_to_be_converted(tmp_path):
    path = tmp_path / 'odise.pth'
    torch.save(dict(model={'category_head.null_embed': torch.ones(1, 2)}), path)
    with pytest.raises(ValueError, match=(
            r'odise\.pth is an official ODISE checkpoint\. .*'
            rf'mim run mmodise convert_checkpoint {path} OUT\.pth')):
        load(path)


class Callback:
    """An object that no checkpoint of mmengine's holds."""


def test_log_histories_are_read_and_other_objects_are_not(tmp_path):
    history = HistoryBuffer([3.0, 1.0], [1, 1])
    content = dict(
        state_dict={}, message_hub=dict(log_scalars=dict(loss=history)), lr=np.float64(1))
    torch.save(content, tmp_path / 'good.pth')
    hub = load(tmp_path / 'good.pth')['message_hub']
    loss = hub['log_scalars']['loss']
    assert (loss.mean(), loss.statistics('current')) == (2.0, 1.0)
    torch.save(dict(content, callback=Callback()), tmp_path / 'bad.pth')
    with pytest.raises(UnsafeFileError, match=rf'bad\.pth .* objects of {__name__}\.Callback\.'):
        load(tmp_path / 'bad.pth')


class Getattr:
    """Asks for an attribute of a class when it is read."""

    def __reduce__(self):
        return getattr, (HistoryBuffer, '__init__')


def test_getattr_is_for_the_statistics_of_log_histories_only(tmp_path):
    torch.save(dict(state_dict={}, x=Getattr(), y=HistoryBuffer()), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=r"a\.pth .*asks for '__init__' of"):
        load(tmp_path / 'a.pth')


def test_checkpoints_of_other_projects_are_read_as_without_mmodise(tmp_path):
    path = tmp_path / 'theirs.pth'
    torch.save(dict(state_dict={}, callback=Callback()), path)
    theirs = CheckpointLoader.load_checkpoint(str(path))
    assert isinstance(theirs['callback'], Callback)
    with pytest.raises(UnsafeFileError, match='Callback'), reading_safely():
        CheckpointLoader.load_checkpoint(str(path))
    # also after that error, and in another thread meanwhile
    with reading_safely(), ThreadPoolExecutor() as pool:
        theirs = pool.submit(CheckpointLoader.load_checkpoint, str(path)).result()
    assert isinstance(theirs['callback'], Callback)
    assert 'callback' in CheckpointLoader.load_checkpoint(str(path))


def test_what_comes_with_mmodise_is_always_read_safely(tmp_path, monkeypatch):
    path = tmp_path / 'bad.pth'
    torch.save(dict(state_dict={}, callback=Callback()), path)
    monkeypatch.setattr('mmodise.checkpoints.reading.locate', lambda name: str(path))
    with pytest.raises(UnsafeFileError, match='Callback'):
        CheckpointLoader.load_checkpoint('mmodise://shapes/odise.pth')
