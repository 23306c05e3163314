"""Two processes train as one does on the whole batch, with DDP and with FSDP.

All runs are of the small recipes in float64, with the same points on each mask. They begin with the
same weights, and SGD without weight decay and with a learning rate of 1 takes a step that is the
gradient, clipped to a norm of 1.
"""

from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]

CONFIG = f"""
_base_ = {str(ROOT / 'configs/odise/ODISE_sd-small_shapes-panoptic.py')!r}
custom_imports = dict(imports=['mmodise', 'rank_parts'], allow_failed_imports=False)
model = dict(type='DoubleODISE', train_cfg=dict(importance_sample_ratio=0.0))
train_dataloader = dict(batch_size=2, dataset=dict(pipeline=PIPELINE))
optim_wrapper = dict(
    _delete_=True, type='OptimWrapper', clip_grad=dict(max_norm=1.0),
    optimizer=dict(type='SGD', lr=1.0, momentum=0.9))
param_scheduler = []
train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=2)
val_cfg = val_dataloader = val_evaluator = None
test_cfg = test_dataloader = test_evaluator = None
default_hooks = dict(
    logger=dict(interval=1), checkpoint=dict(interval=1, max_keep_ckpts=-1))
custom_hooks = [dict(type='SamePoints'), dict(type='Witness')]
"""
LABEL = CONFIG.replace('ODISE_', 'odise_').replace('PIPELINE', '{{_base_.test_pipeline}}')
CAPTION = CONFIG.replace('ODISE_', 'odise-caption_').replace('PIPELINE', """[
    dict(type='LoadImageFromFile'),
    dict(type='LoadPanopticIfAny'),
    dict(type='Annotate', no_masks=NO_MASKS, no_words=NO_WORDS),
    dict(type='PackDetInputs', meta_keys=(
        'img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'words', 'has_masks'))]""")
# without the comparison with CLIP, which computes in float32
CONSISTENT = """
_base_ = './caption.py'
model = dict(consistency=dict(type='ConsistencyLoss', clip=0))
"""
# FSDP clips in float32 only. As many images on as many processes are the same to the last digit.
DDP = """
_base_ = './label.py'
model = dict(type='ODISE')
"""
FSDP = f"""
_base_ = ['./ddp.py', {str(ROOT / 'configs/_base_/fsdp.py')!r}]
"""
ALL_IN_ONE = ('--cfg-options', 'train_dataloader.batch_size=4')


@pytest.fixture(scope='module')
def folder(demo_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp('distributed')
    (folder / 'data').symlink_to(demo_dir / 'data')
    (folder / 'label.py').write_text(LABEL)
    (folder / 'ddp.py').write_text(DDP)
    (folder / 'fsdp.py').write_text(FSDP)
    (folder / 'consistent.py').write_text(CONSISTENT)
    # of the second process's images none has masks, and the last has no words either
    order = torch.randperm(4, generator=torch.Generator().manual_seed(0)) + 1
    second = order[1::2].tolist()
    (folder / 'caption.py').write_text(
        CAPTION.replace('NO_MASKS', str(second)).replace('NO_WORDS', str(second[1:])))
    return folder


@pytest.fixture(scope='module')
def label(folder, run_ranks):
    """The label model's runs."""
    runs = run_ranks(
        folder,
        one=(1, 'label.py', *ALL_IN_ONE),
        two=(2, 'label.py'),
        ddp=(2, 'ddp.py'),
        fsdp=(2, 'fsdp.py'),
        ddp_after_fsdp=(2, 'ddp.py', '--resume', 'fsdp/iter_1.pth'),
        fsdp_after_ddp=(2, 'fsdp.py', '--resume', 'ddp/iter_1.pth'),
        quarrel=(2, 'label.py', '--cfg-options', 'randomness.seed=RANK',
                 'train_dataloader.batch_size=3'))
    return runs


@pytest.fixture(scope='module')
def caption(folder, run_ranks):
    """The caption model's runs, with consistency: two iterations for one step."""
    options = ('--cfg-options', 'optim_wrapper.accumulative_counts=2')
    return run_ranks(
        folder,
        caption_one=(1, 'consistent.py', *options, *ALL_IN_ONE[1:]),
        caption_two=(2, 'consistent.py', *options))


def assert_success(run):
    assert [code for code, _ in run] == [0] * len(run), run[0][1][-3000:]


def checkpoint(folder, run, iteration):
    return torch.load(folder / run / f'iter_{iteration}.pth', weights_only=False)


def losses(folder, run, iteration):
    """The mean over processes, of which each has a log of its own, and the sum.

    The log's own sum is rounded to float32, which at 88 is coarser than half of what is asked for.
    """
    ranks = [torch.load(path)[iteration] for path in sorted((folder / run).glob('[0-9].pth'))]
    images = {sample[0] for rank in ranks for sample in rank['samples']}
    assert images == {1, 2, 3, 4}
    mean = {name: sum(rank['losses'][name] for rank in ranks) / len(ranks)
            for name in ranks[0]['losses']}
    logged = mean.pop('loss')
    total = sum(mean.values())
    assert logged == pytest.approx(total, rel=1e-6)
    return {**mean, 'loss': total}


def assert_same_training(folder, ours, theirs, iterations=(1, 2)):
    """The same losses, weights (so gradients) and momenta after each iteration."""
    for iteration in iterations:
        assert losses(folder, ours, iteration) == pytest.approx(
            losses(folder, theirs, iteration), rel=0, abs=1e-5)
        our, their = (checkpoint(folder, run, iteration) for run in (ours, theirs))
        torch.testing.assert_close(our['state_dict'], their['state_dict'], rtol=0, atol=1e-6)
        our, their = our['optimizer'], their['optimizer']
        assert [group['params'] for group in our['param_groups']] == [
            group['params'] for group in their['param_groups']]
        torch.testing.assert_close(our['state'], their['state'], rtol=1e-5, atol=1e-7)


def test_two_processes_equal_one(folder, label):
    assert_success(label['one'])
    assert_success(label['two'])
    assert_same_training(folder, 'two', 'one')


def test_fsdp_equals_ddp(folder, label):
    assert_success(label['ddp'])
    assert_success(label['fsdp'])
    assert_same_training(folder, 'fsdp', 'ddp')
    files = sorted(path.name for path in (folder / 'fsdp').glob('iter_*'))
    assert files == ['iter_1.pth', 'iter_2.pth'], 'no parts are left'


@pytest.mark.parametrize('run', ['ddp_after_fsdp', 'fsdp_after_ddp'])
def test_each_resumes_the_others_checkpoint(folder, label, run):
    assert_success(label[run])
    assert 'resumed epoch: 0, iter: 1' in label[run][0][1]
    assert_same_training(folder, run, 'ddp', iterations=[2])


def test_caption_supervision_with_accumulated_gradients(folder, caption):
    """Without find_unused_parameters, though a process has no mask to learn from."""
    assert_success(caption['caption_one'])
    assert_success(caption['caption_two'])
    assert_same_training(folder, 'caption_two', 'caption_one')
    assert len([name for name in losses(folder, 'caption_two', 1) if 'consistency' in name]) == 5
    first, second = (checkpoint(folder, 'caption_two', i)['state_dict'] for i in (1, 2))
    moved = [name for name in first if not torch.equal(first[name], second[name])]
    assert len(moved) > 200


def test_processes_with_different_configs(label):
    for code, log in label['quarrel']:
        assert code == 1
        error = log[log.rindex('ValueError'):]
        assert 'label.py: the processes of this run were given different configs' in error
        assert 'randomness.seed: 0 on rank 0, 1 on rank 1' in error
        assert 'batch_size' not in error
        assert 'Iter(train)' not in log
