"""What a benchmark found, as records for JSON, tables and charts."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from terminaltables import AsciiTable

from .charts import draw_bars, draw_lines
from .subject import Subject
from .timing import TEXTS, USED, Measurement

_GIB = 2**30


def record_of(subject: Subject, measured: Measurement, rates: Sequence[float]) -> dict:
    """All that was measured of a subject; memory in bytes, rates in operations a second."""
    setting, rate = subject.setting, statistics.median(rates)

    def share(flops: int, seconds: float) -> float | None:
        return flops / (seconds * rate) if seconds else None

    parts = {}
    for part in measured.parts:
        seconds, flops = measured.seconds(part), measured.flops.get(part, 0)
        parts[part] = dict(
            seconds=seconds, calls=[call.get(part, 0.0) for call in measured.calls], flops=flops,
            share_of_peak=share(flops, seconds), peak_memory=measured.peaks.get(part),
            **{what: measured.used(part, what) for what in USED})
    flops = sum(part['flops'] for part in parts.values())
    return dict(
        config=str(setting.config), options=setting.options, official=setting.official,
        call='training step' if setting.training else 'inference', size=setting.size,
        batch=setting.batch, precision=setting.precision, classes=setting.classes,
        objects=setting.objects if setting.training else None, device=setting.device,
        random_weights=subject.random, seconds=measured.total,
        calls=[sum(call.values()) for call in measured.calls],
        undivided_seconds=(
            statistics.median(measured.undivided) if measured.undivided else None),
        first_call=dict(seconds=sum(measured.first.values()), texts=measured.first.get(TEXTS, 0.0)),
        flops=flops, share_of_peak=share(flops, measured.total), matmul_rate=rate,
        peak_memory=max(measured.peaks.values(), default=None),
        **{what: _sum(part[what] for part in parts.values()) for what in USED}, parts=parts)


def ratios_of(one: Mapping, other: Mapping) -> dict:
    """How many times less the second of two records needs, by part and in total.

    Times are medians over the pairs of calls; None where there is nothing to divide by.
    """
    def median(pairs: zip) -> float | None:
        ratios = [a / b for a, b in pairs if a and b]
        return statistics.median(ratios) if ratios else None

    return dict(
        seconds=median(zip(one['calls'], other['calls'], strict=True)),
        flops=median(zip([one['flops']], [other['flops']], strict=True)),
        peak_memory=median(zip([one['peak_memory']], [other['peak_memory']], strict=True)),
        parts={part: median(zip(one['parts'][part]['calls'], other['parts'][part]['calls'],
                                strict=True))
               for part in one['parts'] if part in other['parts']})


def table(record: Mapping) -> str:
    """A line a part of one record."""
    head = ['part', 'seconds', 'of the call', 'user, s', 'system, s', 'page faults', 'GFLOP',
            'of the peak', 'peak memory, GiB']
    digits = _digits(record)

    def row(name: str, found: Mapping) -> list[str]:
        return [
            name, _number(found['seconds'], 4), _percent(found['seconds'], record['seconds']),
            _number(found['user'], 2), _number(found['system'], 2), _number(found['faults'], 0),
            _number(found['flops'], digits, 1e9), _percent(found['share_of_peak']),
            _number(found['peak_memory'], 2, _GIB)]

    rows = [row(part, found) for part, found in record['parts'].items()]
    return ascii_table([head, *rows, row('in all', record)])


def comparison_table(one: Mapping, other: Mapping, ratios: Mapping) -> str:
    """A line a part of two records."""
    head = ['part', 'A, s', 'B, s', 'A / B', 'A, system s', 'B, system s', 'A, GFLOP', 'B, GFLOP',
            'A, of the peak', 'B, of the peak']
    digits = _digits(one)

    def row(name: str, a: Mapping, b: Mapping, ratio: float | None) -> list[str]:
        return [
            name, *(_number(found.get('seconds'), 4) for found in (a, b)), _number(ratio, 2),
            *(_number(found.get('system'), 2) for found in (a, b)),
            *(_number(found.get('flops'), digits, 1e9) for found in (a, b)),
            *(_percent(found.get('share_of_peak')) for found in (a, b))]

    rows = [
        row(part, one['parts'].get(part, {}), other['parts'].get(part, {}),
            ratios['parts'].get(part))
        for part in dict.fromkeys([*one['parts'], *other['parts']])]
    memory = ['peak memory, GiB', _number(one['peak_memory'], 2, _GIB),
              _number(other['peak_memory'], 2, _GIB), _number(ratios['peak_memory'], 2)]
    return ascii_table([
        head, *rows, row('in all', one, other, ratios['seconds']),
        memory + [''] * (len(head) - len(memory))])


def sentences(record: Mapping) -> list[str]:
    """What the table of a record has no place for."""
    height, width = record['size']
    calls, first = record['calls'], record['first_call']
    timed = f'one call of {calls[0]:.4g} s' if len(calls) == 1 else (
        f'median of {len(calls)} calls of {min(calls):.4g} to {max(calls):.4g} s')
    lines = [
        f'{record["call"]}, {record["batch"]} x {height} x {width}, {record["precision"]}: '
        f'{timed}, {record["batch"] / record["seconds"]:.3g} images a second.',
        f'First call, which warms up and embeds texts: {first["seconds"]:.4g} s, of which '
        f'{first["texts"]:.4g} s for texts.']
    if record['faults'] is not None:
        lines.append(
            f'Processor: {record["user"]:.4g} s in the program, {record["system"]:.4g} s in the '
            f'system, {record["faults"]:,.0f} page faults.')
    if record['undivided_seconds']:
        lines.append(f'Without waiting for each part: {record["undivided_seconds"]:.4g} s.')
    if record['random_weights']:
        lines.append(f'Random in place of {", ".join(record["random_weights"])}.')
    return lines


def draw_parts(records: Mapping[str, Mapping], path: Path) -> None:
    """A bar chart of the seconds of each part, by name of a record."""
    parts = dict.fromkeys(part for record in records.values() for part in record['parts'])
    unit, scale = 's', 1.0
    if max(record['seconds'] for record in records.values()) < 10:
        unit, scale = 'ms', 1000.0

    def bar(found: Mapping | None) -> tuple[float, float]:
        if found is None:
            return math.nan, math.nan
        calls = found['calls']
        spread = statistics.stdev(calls) if len(calls) > 1 else math.nan
        return scale * found['seconds'], scale * spread

    groups = {name: [bar(record['parts'].get(part)) for part in parts]
              for name, record in records.items()}
    first = next(iter(records.values()))
    title = '{call}, {batch} x {size[0]} x {size[1]}, {precision}, {device}'.format_map(first)
    draw_bars(list(parts), groups, path, title=title, xlabel=f'{unit} (median, spread of calls)')


def draw_sweep(key: str, values: Sequence, points: Sequence[Sequence[Mapping]], path: Path) -> None:
    """Time and memory over a setting.

    Args:
        key (str): The setting.
        values (Sequence): Its values.
        points (Sequence[Sequence[Mapping]]): For each value, a record of each model.
        path (Path): The picture.
    """
    seconds, memory = {}, {}
    for i, name in enumerate('AB'[:len(points[0])]):
        records = [point[i] for point in points]
        prefix = f'{name}: ' if len(points[0]) > 1 else ''
        seconds[f'{prefix}in all'] = [record['seconds'] for record in records]
        if key == 'classes':
            seconds[f'{prefix}text embeddings, first call'] = [
                record['first_call']['texts'] for record in records]
        if not prefix:
            seconds.update(_large_parts(records))
        memory[f'{prefix}peak'] = [
            (record['peak_memory'] or math.nan) / _GIB for record in records]
    x = [math.prod(record['size']) if key == 'size' else value
         for value, (record, *_) in zip(values, points, strict=True)]
    if not all(isinstance(value, int | float) and value > 0 for value in x):
        x = list(range(len(values)))
    wide = x[0] > 0 and max(x) >= 8 * min(x)
    draw_lines(x, {'seconds a call': seconds, 'memory, GiB': memory}, path, xlabel=key,
               ticks=[str(value) for value in values], logarithmic=wide)


def ascii_table(rows: list[list[str]]) -> str:
    """A head, lines, and a last one that sums them up; numbers to the right of the first column."""
    made = AsciiTable(rows)
    made.justify_columns = dict.fromkeys(range(1, len(rows[0])), 'right')
    made.inner_footing_row_border = True
    return made.table


def _large_parts(records: Sequence[Mapping]) -> dict[str, list[float]]:
    """Seconds of the parts that take a tenth of a call somewhere."""
    lines = {}
    for part in dict.fromkeys(part for record in records for part in record['parts']):
        line = [record['parts'].get(part, {}).get('seconds', math.nan) for record in records]
        if any(s >= r['seconds'] / 10 for s, r in zip(line, records, strict=True)):
            lines[part] = line
    return lines


def _sum(values: Iterable[float | None]) -> float | None:
    """None if nothing is known."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _digits(record: Mapping) -> int:
    """Decimals of GFLOP that tell something."""
    return 1 if record['flops'] > 1e11 else 3


def _number(value: float | None, digits: int = 1, unit: float = 1) -> str:
    return '' if value is None else f'{value / unit:,.{digits}f}'


def _percent(value: float | None, whole: float = 1.0) -> str:
    return '' if value is None else f'{value / whole:.1%}'.replace('%', ' %')
