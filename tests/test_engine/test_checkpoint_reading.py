import pytest
import torch
from mmengine.runner import CheckpointLoader

import mmodise  # noqa: F401  registers the reader


def test_a_checkpoint_is_read(tmp_path):
    torch.save(dict(state_dict=dict(weight=torch.ones(2))), tmp_path / 'good.pth')
    checkpoint = CheckpointLoader.load_checkpoint(str(tmp_path / 'good.pth'))
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
        'text': r'text\.pth \(2 bytes\) cannot be read',
        'empty': r'empty\.pth \(0 bytes\) cannot be read',
        'list': r"list\.pth is no checkpoint: expected a dict of weights, found <class 'list'>",
    }.items():
        with pytest.raises(ValueError, match=message):
            CheckpointLoader.load_checkpoint(str(tmp_path / f'{name}.pth'))
    with pytest.raises(FileNotFoundError, match=r'none\.pth'):
        CheckpointLoader.load_checkpoint(str(tmp_path / 'none.pth'))


def test_an_official_checkpoint_is_to_be_converted(tmp_path):
    path = tmp_path / 'odise.pth'
    torch.save(dict(model={'category_head.null_embed': torch.ones(1, 2)}), path)
    with pytest.raises(ValueError, match=(
            r'odise\.pth is an official ODISE checkpoint\. .*'
            rf'python tools/convert_checkpoint\.py {path} OUT\.pth')):
        CheckpointLoader.load_checkpoint(str(path))
