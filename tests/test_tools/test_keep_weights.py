"""Making a safe file out of one that is refused."""

import pytest
import torch

from mmodise.checkpoints.safe_loading import read_weights


class Callback:
    """An object that a checkpoint also holds."""


def test_weights_are_kept_and_nothing_else(tmp_path, load_tool, capsys):
    tied = torch.arange(4.0)
    weights = dict(a=tied, b=tied[:2], c=torch.ones(2, 3).T.half())
    torch.save(dict(state_dict=weights, callback=Callback()), tmp_path / 'a.ckpt')
    out = tmp_path / 'a.safetensors'
    load_tool('keep_weights').main([str(tmp_path / 'a.ckpt'), str(out)])
    assert f'{out}: 3 tensors of' in capsys.readouterr().out
    kept = read_weights(out)
    assert set(kept) == set(weights)
    assert all(torch.equal(kept[name], value) for name, value in weights.items())
    assert kept['c'].dtype == torch.float16


def test_errors_are_one_line(tmp_path, load_tool):
    with pytest.raises(SystemExit, match=r'none\.ckpt can not be found'):
        load_tool('keep_weights').main([str(tmp_path / 'none.ckpt'), 'b.safetensors'])


def test_the_new_file_is_of_safetensors(load_tool, capsys):
    with pytest.raises(SystemExit):
        load_tool('keep_weights').main(['a.ckpt', 'b.ckpt'])
    assert 'b.ckpt: the name of the new file must end in .safetensors' in capsys.readouterr().err
