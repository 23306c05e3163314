"""The tensors of a TorchScript archive."""

import os
import zipfile

import pytest
import torch
from torch import nn

from mmodise.checkpoints.torchscript_reading import is_torchscript, read_torchscript


class Net(nn.Module):
    """Has layers in layers, a view, half precision, a buffer and other attributes."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(2, 3), nn.Sequential(nn.GELU(), nn.Linear(3, 3))])
        self.layers[0].half()
        self.proj = nn.Parameter(torch.arange(6.0).view(2, 3).T)
        self.register_buffer('size', torch.tensor(224), persistent=True)
        self.register_buffer('mask', torch.ones(2), persistent=False)
        self.heads = 12
        self.shape = [1, 2]

    def forward(self, x):
        return self.layers[1](x) @ self.proj + self.size


@pytest.fixture
def path(tmp_path):
    torch.manual_seed(0)
    torch.jit.script(Net()).save(tmp_path / 'net.pt')
    return tmp_path / 'net.pt'


def test_tensors_are_those_of_the_module(path):
    tensors, class_names = read_torchscript(path)
    expected = torch.jit.load(path).state_dict()
    assert set(tensors) == {*expected, 'mask'}
    for name, value in expected.items():
        assert tensors[name].dtype == value.dtype
        assert torch.equal(tensors[name], value), name
    assert class_names >= {'Net', 'GELU', 'Linear', 'Sequential'}


def test_it_is_known_by_its_content(path, tmp_path):
    torch.save(dict(a=torch.ones(1)), tmp_path / 'state.pt')
    (tmp_path / 'text.pt').write_text('hello')
    assert [is_torchscript(tmp_path / name) for name in ('net.pt', 'state.pt', 'text.pt')] == [
        True, False, False]


def test_code_is_neither_looked_up_nor_run(path, tmp_path):
    """The archive's own program is broken here, and its pickle names a function."""
    changed, mark = tmp_path / 'changed.pt', tmp_path / 'mark'
    for name, content in dict(
        code=b'this is no program',
        data=f"cposix\nsystem\n(S'touch {mark}'\ntR.".encode(),
    ).items():
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(changed, 'w') as new:
            for item in old.namelist():
                hit = item.endswith('.py') if name == 'code' else item.endswith('/data.pkl')
                new.writestr(item, content if hit else old.read(item))
        if name == 'code':
            assert read_torchscript(changed)[0]['size'] == 224
        else:
            with pytest.raises(ValueError, match=r'changed\.pt .*it names posix\.system'):
                read_torchscript(changed)
    assert not mark.exists()


def test_a_damaged_archive_is_named(path):
    with open(path, 'r+b') as file:
        start = path.read_bytes().index(b'data/0') + 200
        file.seek(start)
        file.write(os.urandom(64))
    with pytest.raises(ValueError, match=r'net\.pt cannot be read as a TorchScript archive'):
        read_torchscript(path)
