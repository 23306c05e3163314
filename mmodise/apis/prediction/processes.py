"""Several processes that share the inputs of a run."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dist import all_gather_object, broadcast_object_list, get_rank, get_world_size

from ...engine.launch import meet
from .sources import Job
from .summary import Summary

_TIMEOUT = 7 * 24 * 3600  # seconds that a process waits at the end for those with slower inputs


def meet_others(args: Namespace) -> None:
    """Let the processes that a launcher has started find each other.

    Raises:
        ValueError: If they were given different options.
    """
    local_rank = int(os.environ.get('LOCAL_RANK', 0))  # there may be more processes than GPUs
    os.environ['LOCAL_RANK'] = str(local_rank % max(1, torch.cuda.device_count()))
    options = {key: str(value) for key, value in vars(args).items() if key != 'local_rank'}
    dist_cfg = dict(backend='gloo', timeout=_TIMEOUT)  # no tensor is exchanged
    meet(Config(dict(
        launcher=args.launcher, env_cfg=dict(dist_cfg=dist_cfg), options=options)))


def share(jobs: Sequence[Job]) -> list[Job]:
    """This process's part of the jobs that the first process has found."""
    found = [list(jobs)]  # others may have looked when something was done already
    broadcast_object_list(found)
    return found[0][get_rank()::get_world_size()]


def gather(summary: Summary) -> Summary:
    """The summary of all processes; waits for them."""
    return Summary.of_all(all_gather_object(summary))


@contextmanager
def writing_alone(folder: Path) -> Iterator[None]:
    """A context in which no other process looks for free names in a folder."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    path = folder / '.mmodise' / 'lock'
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('w') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
