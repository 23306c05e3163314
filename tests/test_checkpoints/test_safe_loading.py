"""Files that are read, and files that would run something."""

import os
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mmodise.checkpoints.safe_loading import (
    NUMPY_GLOBALS,
    UnsafeFileError,
    keep_weights,
    load_safely,
    read_weights,
)

WEIGHTS = dict(weight=torch.arange(6.0).view(2, 3), bias=torch.ones(3).half())


class Callback(dict):  # stands for an object of a training framework
    """Has a state, and takes arguments."""

    def __init__(self, monitor='loss'):
        super().__init__(monitor=monitor)
        self.best = np.float64(0.5)


class Attack:
    """Calls a function when it is read."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def equal(weights):
    return list(weights) == list(WEIGHTS) and all(
        torch.equal(value, WEIGHTS[name]) and value.dtype == WEIGHTS[name].dtype
        for name, value in weights.items())


@pytest.mark.parametrize('content', [
    WEIGHTS, dict(state_dict=WEIGHTS, global_step=3), dict(model=WEIGHTS)])
@pytest.mark.parametrize('zipped', [True, False])
def test_state_dicts_of_torch(tmp_path, content, zipped):
    torch.save(content, tmp_path / 'a.ckpt', _use_new_zipfile_serialization=zipped)
    assert equal(read_weights(tmp_path / 'a.ckpt'))


def test_safetensors(tmp_path):
    save_file(WEIGHTS, tmp_path / 'a.safetensors')
    weights = read_weights(str(tmp_path / 'a.safetensors'))
    assert equal({name: weights[name] for name in WEIGHTS})


@pytest.mark.parametrize('zipped', [True, False])
def test_objects_are_refused_and_weights_can_be_taken_out(tmp_path, zipped):
    path = tmp_path / 'a b.ckpt'
    content = dict(state_dict=WEIGHTS, callbacks={Callback: dict(best=1)}, now=Callback('acc'))
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UnsafeFileError) as error:
        read_weights(path)
    assert f'{path} holds more than weights: Python objects of ' in str(error.value)
    assert f'{__name__}.Callback' in str(error.value)
    command = f"mim run mmodise keep_weights '{path}' '{tmp_path / 'a b.safetensors'}'"
    assert str(error.value).endswith(command)
    assert equal(keep_weights(path))


def test_nothing_of_an_attack_is_run(tmp_path):
    mark, path = tmp_path / 'mark', tmp_path / 'attack.ckpt'
    torch.save(dict(state_dict=WEIGHTS, x=Attack(os.system, f'touch {mark}')), path)
    for read in (read_weights, keep_weights):
        with pytest.raises(ValueError, match=r'attack\.ckpt is dangerous: .* call posix\.system'):
            read(path)
    torch.save(dict(state_dict=WEIGHTS, x=Attack(eval, f'open({str(mark)!r}, "w")')), path)
    with pytest.raises(UnsafeFileError, match=r'Python objects of builtins\.eval\.'):
        read_weights(path)
    assert equal(keep_weights(path))
    torch.load(path, weights_only=False)
    assert mark.exists(), 'the attack itself works'


def test_what_is_allowed_is_read_and_only_then(tmp_path):
    torch.save(dict(a=np.float64(0.5), b=np.arange(3)), tmp_path / 'a.pth')
    content = load_safely(tmp_path / 'a.pth', allowed=NUMPY_GLOBALS)
    assert (content['a'], content['b'].tolist()) == (0.5, [0, 1, 2])
    with pytest.raises(UnsafeFileError, match=r'a\.pth .* objects of numpy'):
        load_safely(tmp_path / 'a.pth')


@pytest.mark.parametrize(('name', 'content', 'message'), [
    ('cut.ckpt', None, r'cut\.ckpt \(2,000 bytes\) cannot be read.*cut short'),
    ('cut.safetensors', None, r'cut\.safetensors \(2,000 bytes\) cannot be read.*cut short'),
    ('page.ckpt', b'<html>not found</html>', r'page\.ckpt is a web page, not weights'),
    ('page.safetensors', b'\n<!DOCTYPE html><p>Sign in</p>', r'page\.safetensors is a web page'),
    ('gone.pth', b'{"error": "Repository not found"}', r'gone\.pth is JSON text, not weights'),
    ('notes.pth', 'Prüfung: see the release page'.encode(), r'notes\.pth is text, not weights'),
    ('none.pth', b'', r'none\.pth is empty \(0 bytes\)'),
    ('lfs.safetensors', b'version https://git-lfs.github.com/spec/v1\noid sha256:4d7\nsize 9\n',
     r'lfs\.safetensors is a pointer of Git LFS.*git lfs pull'),
    ('noise.bin', bytes(range(256)), r'noise\.bin \(256 bytes\) cannot be read'),
    ('list.ckpt', [torch.ones(1)], r'list\.ckpt has no weights: .* found a list\.'),
    ('step.ckpt', dict(step=1), r"step\.ckpt has no weights: .* found a dict with 'step'\."),
])
def test_what_is_no_state_dict(tmp_path, name, content, message):
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    else:
        large = dict(weight=torch.ones(1000))
        save_file(large, path) if path.suffix == '.safetensors' else torch.save(large, path)
        os.truncate(path, 2000)
    with pytest.raises(ValueError, match=message):
        read_weights(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'none\.ckpt can not be found'):
        read_weights(tmp_path / 'none.ckpt')


def test_plain_pickles_are_no_way_in(tmp_path):
    mark = tmp_path / 'mark'
    (tmp_path / 'a.pth').write_bytes(pickle.dumps(Attack(os.system, f'touch {mark}')))
    with pytest.raises(ValueError, match=r'a\.pth'):
        read_weights(tmp_path / 'a.pth')
    assert not mark.exists()


@pytest.mark.parametrize('name', ['weights.pth', 'weights', 'weights.safetensors', 'w.ckpt'])
@pytest.mark.parametrize('form', ['safetensors', 'torch', 'old torch'])
def test_the_format_is_told_by_content(tmp_path, name, form):
    path = tmp_path / name
    if form == 'safetensors':
        save_file(WEIGHTS, path)
    else:
        torch.save(WEIGHTS, path, _use_new_zipfile_serialization=form == 'torch')
    weights = read_weights(path)
    assert equal({key: weights[key] for key in WEIGHTS})


@pytest.mark.parametrize('error', [
    torch.OutOfMemoryError('CUDA out of memory'), MemoryError(),
    RuntimeError('Attempting to deserialize object on a CUDA device but torch.cuda.is_available() '
                 'is False'),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried ...")])
def test_what_the_machine_lacks_is_no_fault_of_the_file(tmp_path, monkeypatch, error):
    torch.save(WEIGHTS, tmp_path / 'a.pth')

    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(torch, 'load', fail)
    with pytest.raises(type(error)) as found:
        load_safely(tmp_path / 'a.pth')
    assert found.value is error
