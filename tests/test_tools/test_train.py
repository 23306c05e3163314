import sys
from pathlib import Path

import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.runner import Runner

TOY = Path(__file__).parent / 'toy'
CONFIG = str(TOY / 'toy_recipe.py')


@pytest.fixture
def train(load_tool, monkeypatch, tmp_path):
    """Give a function that runs tools/train.py in this process and returns its runner."""
    monkeypatch.syspath_prepend(TOY)
    monkeypatch.setenv('LOCAL_RANK', '0')
    runners = []
    monkeypatch.setattr(Runner, 'train', lambda self, run=Runner.train: runners.append(self) or
                        run(self))

    def run(name, *options):
        # Runs of one process share mmengine's message hub unless their names differ.
        names = ['--cfg-options', f'experiment_name={tmp_path}/{name}/{len(runners)}', *options]
        monkeypatch.setattr(
            sys, 'argv', ['train.py', CONFIG, '--work-dir', str(tmp_path / name), *names])
        load_tool('train').main()
        return runners[-1]

    return run


def learning_rates(runner):
    scalars = MessageHub.get_instance(runner.experiment_name).log_scalars
    return scalars['train/lr'].data[0].tolist()


def test_interrupted_run_resumes_as_if_it_had_not_been(train):
    whole = train('whole')
    with pytest.raises(KeyboardInterrupt):
        train('cut', 'custom_hooks.0.iteration=5')
    resumed = train('cut', '--resume')
    assert (whole.iter, resumed.iter) == (6, 6)
    assert torch.equal(resumed.model.linear.weight, whole.model.linear.weight)
    for name in ('step', 'exp_avg', 'exp_avg_sq'):
        state, expected = (
            run.optim_wrapper.optimizer.state_dict()['state'][0] for run in (resumed, whole))
        assert torch.equal(state[name], expected[name])
    # Half the rate at first, in 5 equal steps to all of it.
    assert learning_rates(whole) == pytest.approx([0.05, 0.06, 0.07, 0.08, 0.09, 0.1])
    assert learning_rates(resumed)[-2:] == pytest.approx([0.09, 0.1])


def test_resume_takes_a_checkpoint_by_its_path(train, tmp_path):
    train('first', 'train_cfg.max_iters=4')
    resumed = train('second', '--resume', str(tmp_path / 'first' / 'iter_2.pth'))
    assert resumed.iter == 6
    assert resumed.optim_wrapper.optimizer.state_dict()['state'][0]['step'] == 6


@pytest.mark.skipif(torch.cuda.is_available(), reason='float16 on a GPU, see the next test')
def test_amp_runs_in_bfloat16_on_the_cpu(train):
    runner = train('amp', '--amp')
    assert type(runner.optim_wrapper).__name__ == 'CPUAmpOptimWrapper'
    assert runner.model.output_dtype == torch.bfloat16
    assert runner.model.linear.weight.dtype == torch.float32


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_amp_runs_in_float16_on_a_gpu(train):
    runner = train('amp', '--amp')
    assert type(runner.optim_wrapper).__name__ == 'AmpOptimWrapper'
    assert runner.model.output_dtype == torch.float16


def test_options_override_the_config(train, tmp_path):
    runner = train('override', 'optim_wrapper.optimizer.lr=0.5', 'train_cfg.max_iters=1')
    assert runner.iter == 1
    assert learning_rates(runner) == [0.25]
    assert runner.work_dir == str(tmp_path / 'override')


def test_auto_scale_lr_scales_by_the_batch_size(train):
    runner = train('scaled', 'auto_scale_lr.base_batch_size=2', 'train_cfg.max_iters=1',
                   '--auto-scale-lr')
    assert learning_rates(runner) == [0.1]  # batch size 4: twice 0.05


def test_auto_scale_lr_without_a_base_batch_size_says_what_to_add(train):
    with pytest.raises(ValueError, match=r'toy_recipe\.py has no auto_scale_lr\.base_batch_size'):
        train('scaled', '--auto-scale-lr')


def test_a_misspelt_key_stops_before_anything_is_built(train, tmp_path):
    with pytest.raises(ValueError, match=r'optim_wraper: did you mean optim_wrapper\?'):
        train('misspelt', 'optim_wraper.optimizer.lr=0.5')
    assert not (tmp_path / 'misspelt').exists()
