import pickle
import sys
from pathlib import Path

import pytest
import torch

TOY = Path(__file__).parent / 'toy'


@pytest.fixture
def evaluate(load_tool, monkeypatch, tmp_path):
    """Give a function that runs tools/test.py in this process, on weights 1, -1."""
    monkeypatch.syspath_prepend(TOY)
    monkeypatch.setenv('LOCAL_RANK', '0')
    checkpoint = tmp_path / 'weights.pth'
    torch.save(dict(state_dict={'linear.weight': torch.tensor([[1.0, -1.0]])}), checkpoint)

    def run(*options, checkpoint=checkpoint):
        monkeypatch.setattr(sys, 'argv', [
            'test.py', str(TOY / 'toy_recipe.py'), str(checkpoint), '--work-dir', str(tmp_path),
            '--cfg-options', f'experiment_name={tmp_path}', *options])
        load_tool('test').main()

    return run


def test_predictions_are_written(evaluate, tmp_path):
    evaluate('--out', str(tmp_path / 'predictions.pkl'))
    predictions = pickle.loads((tmp_path / 'predictions.pkl').read_bytes())
    assert len(predictions) == 16
    # Sample 7: a = 3/4, b = 1/4; the model says a - b, the truth is 2 a - b.
    assert predictions[7] == dict(output=0.5, target=1.25)
    metrics = next(tmp_path.glob('*/*.json')).read_text()
    assert '"error": 0.375' in metrics  # mean of a over 0, 1/4, 1/2, 3/4


def test_out_must_be_a_pickle(evaluate, capsys):
    with pytest.raises(SystemExit):
        evaluate('--out', 'predictions.json')
    assert '--out: predictions.json does not end with .pkl' in capsys.readouterr().err


def test_missing_checkpoint_is_named(evaluate):
    with pytest.raises(FileNotFoundError, match=r'no/such\.pth'):
        evaluate(checkpoint='no/such.pth')


def test_trained_weights_are_asked_for(evaluate):
    message = r'toy_recipe\.py has no weights of its own. .* It has 1 to be trained'
    with pytest.raises(ValueError, match=message):
        evaluate(checkpoint='none')


def test_a_misspelt_key_stops_before_anything_is_built(evaluate):
    with pytest.raises(ValueError, match=r'test_dataloader\.batch_siz: did you mean batch_size\?'):
        evaluate('test_dataloader.batch_siz=2')
