"""Longer and shorter trainings of the same recipe."""

from mmengine.config import Config


def set_max_iters(cfg: Config, max_iters: int) -> None:
    """Train for another number of iterations, the learning rate's schedule in proportion.

    Args:
        cfg (Config): Of an iteration-based training; changed in place.
        max_iters (int): Iterations, 1 or more.
    """
    ratio = max_iters / cfg.train_cfg.max_iters
    cfg.train_cfg.max_iters = max_iters
    for scheduler in cfg.param_scheduler:
        for key, smallest in (('begin', 0), ('end', 1), ('T_max', 1)):
            if key in scheduler:
                scheduler[key] = max(round(scheduler[key] * ratio), smallest)
