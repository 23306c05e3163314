"""Averages of weights before and after a fine-tuning."""

import pytest
import torch

from mmodise.checkpoints import load_from_local
from mmodise.checkpoints.averaging import average_weights

START = dict(a=torch.tensor([0.0, 4.0]), steps=torch.tensor(3))
TUNED = dict(a=torch.tensor([1.0, 0.0]), steps=torch.tensor(9))


@pytest.mark.parametrize(('share', 'expected'), [
    (0, [0, 4]), (0.25, [0.25, 3]), (0.5, [0.5, 2]), (1, [1, 0])])
def test_the_share_is_that_of_what_was_fine_tuned(share, expected):
    average = average_weights(START, TUNED, share)
    assert average['a'].tolist() == expected
    assert average['steps'] == 9


def test_half_precision_of_the_start_does_not_round_what_was_fine_tuned():
    start = dict(a=torch.tensor([1.0]).half())
    average = average_weights(start, dict(a=torch.tensor([1 + 2.0**-20])))
    assert average['a'].dtype == torch.float32 and average['a'].item() == 1 + 2.0**-21


@pytest.mark.parametrize(('tuned', 'share', 'message'), [
    (TUNED, 1.5, r'1\.5, expected 0 to 1'),
    (dict(TUNED, a=torch.zeros(3)), 0.5, r'1 weights differ.*a \(2 before, 3 after\)'),
    (dict(TUNED, b=torch.zeros(1)), 0.5, r'b \(missing before, 1 after\)'),
    (dict(TUNED, a=torch.tensor([1.0, float('nan')])), 0.5, r'nan or infinity.*a \(1 of 2'),
])
def test_what_does_not_go_together_is_refused(tuned, share, message):
    with pytest.raises(ValueError, match=message):
        average_weights(START, tuned, share)


def test_the_command_writes_a_checkpoint_and_overwrites_nothing(tmp_path, load_tool, capsys):
    start, tuned, out = (str(tmp_path / name) for name in ('start.pth', 'tuned.pth', 'out.pth'))
    torch.save(START, start)
    torch.save(dict(meta=dict(dataset_meta=dict(classes=('cat', ))), state_dict=TUNED,
                    optimizer=dict(state=1)), tuned)
    main = load_tool('average_weights').main
    main([start, tuned, out, '--share', '0.25'])
    assert '2 weights, 0.25 of' in capsys.readouterr().out
    written = load_from_local(out)
    assert set(written) == {'meta', 'state_dict'}
    assert written['meta']['dataset_meta']['classes'] == ('cat', )
    assert written['state_dict']['a'].tolist() == [0.25, 3]
    with pytest.raises(SystemExit, match=r'out\.pth is there already'):
        main([start, tuned, out])
    with pytest.raises(SystemExit, match=r'none\.pth can not be found'):
        main([str(tmp_path / 'none.pth'), tuned, str(tmp_path / 'other.pth')])
