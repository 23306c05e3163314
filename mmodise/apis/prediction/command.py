"""The command ``predict``, once its options are read."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from mmengine.dist import get_rank

from ...engine import load_config, tune_process
from ...engine.failure_watch import failing_together
from ...vocabulary import Vocabulary
from ...weights import locate
from ..inferencer import ODISEInferencer
from ..masks_of_files import take_masks
from ..model_zoo import SMALL_MODEL, find_model
from ..result_folder import ResultFolder
from ..saved_vocabulary import is_saved
from .ledger import Ledger
from .masks import check_masks, masks_state
from .processes import gather, meet_others, share
from .run import PredictionRun, Settings
from .sources import Job, list_jobs
from .summary import Summary

_NAME = 'predict.py'


def run(args: Namespace) -> int:
    """Do what the command line says, and give the exit code.

    Args:
        args (Namespace): The options of ``tools/predict.py``.

    Raises:
        SystemExit: If nothing can be done any more, with the reason.
    """
    tune_process()
    try:
        folder = ResultFolder(args.out_dir)
        vocabulary = _read_vocabulary(args)
        if args.launcher != 'none':
            meet_others(args)
    except (ImportError, OSError, ValueError) as error:
        raise SystemExit(f'{_NAME}: {error}') from error
    with failing_together():
        try:
            return _run(args, folder, vocabulary)
        except (ImportError, OSError, ValueError) as error:
            raise SystemExit(f'{_NAME}: {error}') from error
        except KeyboardInterrupt:
            print(f'\n{_NAME}: stopped. What is written is whole; the same command goes on from '
                  'there.', file=sys.stderr)
            raise SystemExit(130) from None


def _run(args: Namespace, folder: ResultFolder, vocabulary: Vocabulary | None) -> int:
    inferencer, weights = _build_inferencer(args)
    if vocabulary is None:
        vocabulary = inferencer.read_vocabulary(args.vocab or None, args.stuff or None)
    _tell_shared_names(vocabulary)
    settings = _read_settings(args, vocabulary)
    ledger = Ledger(
        folder.folder, settings.digest(
            inferencer.cfg.to_dict(), weights, args.precision, masks_state(inferencer)),
        get_rank())
    start = time.perf_counter()
    jobs = check_masks(inferencer, list_jobs(args.inputs, folder.folder, args.camera))
    pending = [job for job in jobs if args.again or not ledger.is_done(job.source)]
    predict = PredictionRun(inferencer, settings, folder, ledger)
    summary = gather(predict(share(pending), show_segments=len(jobs) == 1))
    if get_rank():
        return 0
    summary.before = len(jobs) - len(pending)
    return _tell(summary, jobs, time.perf_counter() - start)


def _tell(summary: Summary, jobs: Sequence[Job], seconds: float) -> int:
    if len(jobs) > 1 and summary.classes:
        print(summary.table())
    print(summary.line(seconds), flush=True)
    if summary.failures:
        print('\n'.join([f'{_NAME}: {len(summary.failures)} of {len(jobs)} inputs failed:',
                         *summary.failures]), file=sys.stderr)
    return int(bool(summary.failures))


def _read_vocabulary(args: Namespace) -> Vocabulary | None:
    """The vocabulary of the command line; None if it takes the model to read it."""
    named = [args.vocab.strip(), args.stuff.strip()]
    if any(map(is_saved, filter(None, named))) or not any([*named, args.caption]):
        return None
    parts = [Vocabulary.read(*named)] if any(named) else []
    parts += [Vocabulary.from_caption(args.caption)] if args.caption else []
    return parts[0] if len(parts) == 1 else parts[0] + parts[1]


def _build_inferencer(args: Namespace) -> tuple[ODISEInferencer, list]:
    """The model, and what tells its weights from others: their path, size and time of change."""
    entry = find_model(args.model or SMALL_MODEL)
    weights = args.weights or entry.weights
    cfg = load_config(entry.config, args.cfg_options, fast=args.fast, device=args.device)
    if args.masks:
        cfg = take_masks(cfg, args.masks, args.mask_images)
    inferencer = ODISEInferencer(cfg, weights, args.device, args.precision)
    path = None if weights is None else Path(locate(str(weights)))
    status = path.stat() if path is not None and path.is_file() else None
    return inferencer, [str(weights), status and status.st_size, status and status.st_mtime_ns]


def _read_settings(args: Namespace, vocabulary: Vocabulary) -> Settings:
    scoring = {key: value for key in ('alpha', 'beta', 'threshold')
               if (value := getattr(args, key)) is not None}
    return Settings(
        vocabulary, tuple(args.format), scoring, args.batch_size,
        dict(every=args.every, max_frames=args.max_frames))


def _tell_shared_names(vocabulary: Vocabulary) -> None:
    for name, classes in vocabulary.shared_names.items() if get_rank() == 0 else ():
        print(f'{_NAME}: {name!r} is a name of several classes; where it fits best, the first is '
              f'found: {", ".join(classes)}', file=sys.stderr)
