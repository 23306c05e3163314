from mmengine.config import Config

from mmodise.engine import set_max_iters


def test_the_schedule_shrinks_with_the_training():
    cfg = Config(dict(
        train_cfg=dict(max_iters=400), param_scheduler=[
            dict(type='LinearLR', begin=0, end=20),
            dict(type='CosineAnnealingLR', begin=20, T_max=380)]))
    set_max_iters(cfg, 100)
    assert cfg.train_cfg.max_iters == 100
    assert cfg.param_scheduler[0].end == 5
    assert cfg.param_scheduler[1].begin == 5 and cfg.param_scheduler[1].T_max == 95
    set_max_iters(cfg, 2)
    assert cfg.param_scheduler[0].end == 1, 'mmengine asks for an end after the begin'
