"""Time, operations and memory of the parts of a model, by what runs inside its calls."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from .flops import flop_counter
from .machine import DeviceMemory, HostMemory, MatrixProduct, clock_of, memory_of, meter_of
from .recording import wrapped
from .subject import Subject

COVERS = (
    'The timer covers a whole call: from uint8 images on the host, through preprocessing, to '
    'results on the device (inference), or through losses, backward pass and optimizer (a training '
    'step). It leaves out reading, decoding and augmenting images, moving results to the host, '
    "hooks and evaluation. A part's time is its own: parts within it have lines of their own, and "
    'the lines add up. On a GPU, the device is waited for wherever a part begins or ends. User and '
    'system time are those of all threads; page faults are minor ones, pages of memory that the '
    'system handed out.')
COUNTED = (
    'Operations are those of matrix products, convolutions and attention, two a multiply-add. '
    'Deformable attention and other sampling, resizing, norms, activations, softmax, sums and '
    'sorting are not counted.')

REST = 'rest'
#: What is told of a part, apart from its seconds: those of the processor, and page faults.
USED = 'user', 'system', 'faults'
TEXTS = 'text embeddings'
#: Methods of each part, in the order of the table. A method that a model lacks is left out.
PARTS = {
    'preprocessing': ['model.data_preprocessor.forward'],
    "captioner's CLIP pass": ['model.backbone.captioner.clip.encode_images'],
    'captioner': ['model.backbone.captioner.forward'],
    'VAE encoder': ['model.backbone.extractor.frozen.vae.encode'],
    'text encoder on ""': ['model.backbone.extractor.encode_nothing'],
    'UNet': ['model.backbone.extractor.frozen.unet.forward'],
    'VAE decoder': ['model.backbone.extractor.frozen.vae.decode'],
    'projections': ['model.backbone.projections.*.forward'],
    'backbone': ['model.backbone.forward'],
    'pixel decoder': ['model.panoptic_head.pixel_decoder.forward'],
    'decoder and heads': [
        'model.panoptic_head.layers', 'model.panoptic_head.forward', 'model.panoptic_head.find',
        'model.panoptic_head.name', 'model.panoptic_head.predict'],
    TEXTS: ['model.panoptic_head.clip.encode_texts', 'model.classifier.clip.encode_texts'],
    'CLIP on masks': [
        'model.classifier.embed', 'model.classifier.score', 'model.classifier.forward'],
    'ensemble': ['model.ensemble.forward'],
    'results': ['model.make_results', 'model.panoptic_fusion_head.predict'],
    'losses': ['model.panoptic_head.loss'],
    'backward': ['optim_wrapper.backward'],
    'optimizer': ['optim_wrapper.step', 'optim_wrapper.zero_grad'],
}
_METHODS = ('forward', 'predict', 'loss', 'loss_and_predict')


def part_methods(subject: Subject) -> dict[str, str]:
    """Which part each method counts for, by its path.

    Children of the model that :data:`PARTS` does not know are parts under their own names.
    """
    methods = {
        path: part for part, patterns in PARTS.items() for pattern in patterns
        for path in _matches(subject, pattern)}
    for name, child in subject.model.named_children():
        for method in _METHODS:
            if callable(getattr(child, method, None)):
                methods.setdefault(f'model.{name}.{method}', name.replace('_', ' '))
    return {_entry(subject, path): part for path, part in methods.items()}


def _entry(root: object, path: str) -> str:
    """Of a compiled module's forward, what calls it: the clock is no part of what is compiled."""
    place, _, name = path.rpartition('.')
    compiled = getattr(attrgetter(place)(root), '_compiled_call_impl', None)
    return f'{place}._compiled_call_impl' if name == 'forward' and compiled else path


def _matches(root: object, pattern: str) -> list[str]:
    """Paths of a pattern that there are; * is each child of a module."""
    before, star, after = pattern.partition('.*')
    try:
        found = attrgetter(before)(root)
        if star:
            return [f'{before}.{name}{after}' for name, _ in found.named_children()]
    except AttributeError:
        return []
    return [before] if callable(found) else []


class Account:
    """Books what a clock shows on the part that is running, the innermost where they are nested.

    Args:
        clock (Callable): Anything that only grows: seconds, operations; or an array of such.
        memory (HostMemory | DeviceMemory, optional): Its peaks are booked, too.

    Attributes:
        spent (dict[str, float | ndarray]): By part.
        peaks (dict[str, int]): Most bytes in use while a part was running, by part.
    """

    def __init__(
        self, clock: Callable[[], float | np.ndarray],
        memory: HostMemory | DeviceMemory | None = None,
    ) -> None:
        self.spent: dict[str, float | np.ndarray] = defaultdict(float)
        self.peaks: dict[str, int] = defaultdict(int)
        self._clock, self._memory = clock, memory
        self._running: list[str] = []
        self._last = 0.0

    @contextmanager
    def running(self, part: str) -> Iterator[None]:
        """Book on a part while the context is open."""
        self._book()
        self._running.append(part)
        try:
            yield
        finally:
            self._book()
            self._running.pop()

    def within(self, part: str, method: Callable) -> Callable:
        """A method that is booked on a part."""
        def call(*args, **kwargs):
            with self.running(part):
                return method(*args, **kwargs)

        return call

    def _book(self) -> None:
        now = self._clock()
        if self._running:
            part = self._running[-1]
            self.spent[part] += now - self._last
            if self._memory:
                self.peaks[part] = max(self.peaks[part], self._memory.peak())
        if self._memory:
            self._memory.reset()
        self._last = self._clock()  # without the time that booking takes


@dataclass
class Measurement:
    """What was measured of a subject.

    Attributes:
        first (dict[str, float]): Seconds of each part in the first call, which embeds the texts.
        calls (list[dict[str, float]]): Seconds of each part, a call each.
        usage (list[dict[str, dict[str, float]]]): What else each part used, a call each: seconds
            ``user`` and ``system``, and page ``faults``; nothing where the system does not tell.
        flops (dict[str, int]): Operations of each part, as :data:`COUNTED` says.
        peaks (dict[str, int]): Peak memory in bytes by part; the other models of a comparison do
            not count. Empty where the system does not tell.
        undivided (list[float]): Seconds of calls in which no part is waited for; on a GPU only.
    """

    first: dict[str, float] = field(default_factory=dict)
    calls: list[dict[str, float]] = field(default_factory=list)
    usage: list[dict[str, dict[str, float]]] = field(default_factory=list)
    flops: dict[str, int] = field(default_factory=dict)
    peaks: dict[str, int] = field(default_factory=dict)
    undivided: list[float] = field(default_factory=list)

    @property
    def parts(self) -> list[str]:
        """All parts that ran, in the order of the table."""
        ran = dict.fromkeys(part for call in (self.first, *self.calls) for part in call)
        order = [*PARTS]
        at = order.index('losses')
        order[at:at] = [part for part in ran if part not in PARTS and part != REST]
        return [*(part for part in order if part in ran), REST]

    def seconds(self, part: str) -> float:
        """Median over the calls."""
        return statistics.median(call.get(part, 0.0) for call in self.calls)

    def used(self, part: str, what: str) -> float | None:
        """Median over the calls of what else a part used; None where the system does not tell."""
        values = [call[part][what] for call in self.usage if what in call.get(part, ())]
        return statistics.median(values) if values else None

    def book(self, spent: Mapping[str, np.ndarray]) -> None:
        """Take a call, by part what a :func:`meter_of` says."""
        self.calls.append({part: float(values[0]) for part, values in spent.items()})
        self.usage.append({
            part: dict(zip(USED, values[1:].tolist(), strict=False))
            for part, values in spent.items()})

    @property
    def total(self) -> float:
        """Seconds of a call: the sum of the parts' medians."""
        return sum(self.seconds(part) for part in self.parts)


def measure(
    subjects: Sequence[Subject], repeats: int, products: Mapping[str, MatrixProduct],
    advance: Callable[[], object] = lambda: None,
    check: Callable[[object, object], None] | None = None, few_calls: bool = False,
) -> tuple[list[Measurement], dict[str, list[float]]]:
    """Time subjects alternately, so that what the machine does meanwhile meets them all.

    A first call, which embeds texts, and one that counts operations warm each of them up; one more
    tells the memory, which may take longer: it starts without what the earlier ones have freed.

    Args:
        subjects (Sequence[Subject]): All on one device.
        repeats (int): Timed calls of each.
        products (Mapping[str, MatrixProduct]): By precision; timed before each round of calls, and
            after the last.
        advance (Callable): Called after each call.
        check (Callable, optional): Given what the first calls of two subjects gave.
        few_calls (bool): The first call counts operations and, in inference, tells the memory, of
            models that take minutes. Defaults to False.

    Returns:
        tuple: A measurement each, and the rates of the products, operations a second.
    """
    device = torch.device(subjects[0].setting.device)
    clock, memory, meter = clock_of(device), memory_of(device), meter_of(device)
    results = [Measurement() for _ in subjects]
    pairs = list(zip(subjects, results, strict=True))
    outputs = []
    for subject, result in pairs:
        with_memory = memory if few_calls and not subject.setting.training else None
        outputs.append(_first_call(subject, subjects, clock, with_memory, result, few_calls))
        advance()
    if check:
        check(*outputs)
    del outputs
    for subject, result in () if few_calls else pairs:
        result.flops = count_flops(subject)
        advance()
    for subject, result in pairs:
        if memory and not result.peaks:
            _call_with_memory(subject, subjects, clock, memory, result)
            advance()
    rates = {name: [] for name in products}

    def time_products() -> None:
        for name, product in products.items():
            rates[name].append(product.rate())

    for number in range(repeats):
        time_products()
        for subject, result in pairs if number % 2 == 0 else reversed(pairs):
            account = Account(meter)
            _booked_call(subject, account)
            result.book(account.spent)
            if device.type == 'cuda':
                result.undivided.append(_undivided_call(subject, clock))
            advance()
    time_products()
    return results, rates


def count_flops(subject: Subject) -> dict[str, int]:
    """Operations of each part in a call, as :data:`COUNTED` says."""
    with _counting() as counter:
        account = Account(counter.get_total_flops)
        _booked_call(subject, account)
    return {part: int(flops) for part, flops in account.spent.items()}


@contextmanager
def _counting() -> Iterator[FlopCounterMode]:
    """Count operations, while nothing runs that the counter does not see."""
    stance = getattr(torch.compiler, 'set_stance', None)
    eager = stance('force_eager') if stance else nullcontext()
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with eager, flop_counter() as counter:
            yield counter
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def _first_call(
    subject: Subject, subjects: Sequence[Subject], clock: Callable[[], float],
    memory: HostMemory | DeviceMemory | None, result: Measurement, with_flops: bool,
) -> object:
    """Note the seconds of a call, and its operations and memory if they are asked for."""
    with _counting() if with_flops else nullcontext() as counter:
        account, output = _call_with_memory(
            subject, subjects,
            lambda: np.array([clock(), counter.get_total_flops() if with_flops else 0]),
            memory, result)
    result.first = {part: float(seconds) for part, (seconds, _) in account.spent.items()}
    # a later call finds the texts
    result.flops = {part: 0 if part == TEXTS else int(flops)
                    for part, (_, flops) in account.spent.items()}
    return output


def _call_with_memory(
    subject: Subject, subjects: Sequence[Subject], clock: Callable[[], float | np.ndarray],
    memory: HostMemory | DeviceMemory | None, result: Measurement,
) -> tuple[Account, object]:
    """Call a subject and note its memory, without what earlier calls have freed; what it gave."""
    if memory:
        memory.tidy()
    account = Account(clock, memory)
    output = _booked_call(subject, account)
    if memory:
        others = _only_others(subject, subjects)
        result.peaks = {part: peak - others for part, peak in account.peaks.items()}
    return account, output


def _booked_call(subject: Subject, account: Account) -> object:
    """Call a subject with its parts on an account; all calls draw the same random numbers."""
    data = subject.images()
    torch.manual_seed(0)
    wraps = {path: partial(account.within, part) for path, part in part_methods(subject).items()}
    with subject.tuning(), wrapped(subject, wraps), account.running(REST):
        return subject.call(data)


def _undivided_call(subject: Subject, clock: Callable[[], float]) -> float:
    data = subject.images()
    with subject.tuning():
        start = clock()
        subject.call(data)
        return clock() - start


def _only_others(subject: Subject, subjects: Sequence[Subject]) -> int:
    """Bytes that other subjects hold, and this one does not share."""
    others = {place: size for other in subjects for place, size in other.held().items()}
    return sum(others[place] for place in others.keys() - subject.held().keys())
