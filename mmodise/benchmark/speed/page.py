"""The page about speed and quality: its records, its tables and its picture."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from ...evaluation import Spread
from ..charts import draw_points
from ..claim_run import describe_machine
from ..comparison import quality, table
from ..comparisons.recipes import COMPARISON as RECIPES
from .lines import FOUR, ONE, SIDES, Line
from .text import ANSWER, FOUR_WINDOWS, FULL, INTRODUCTION, NOT_TRAINED, NOTES, TRAINED

#: Seconds per picture that somebody has.
BUDGET = 1.0
GROUPS = 'base', 'novel'
_AGAIN = ' again'


def records_file(docs: Path) -> Path:
    """Where measurements are kept."""
    return docs / 'speed/records.json'


def read_records(docs: Path) -> dict[str, dict]:
    """By part: 'results' by line, and when and where they were measured; {} before the first."""
    path = records_file(docs)
    return json.loads(path.read_text(encoding='utf-8')) if path.is_file() else {}


def keep(docs: Path, part: str, results: Mapping, together: bool, **facts: str) -> None:
    """Write what was measured in a part.

    Args:
        docs (Path): Folder of the pages.
        part (str): 'quality', 'times', or 'full size' with the line that others are compared with.
        results (Mapping): By line.
        together (bool): Whether they can be compared with each other only, so that they take the
            place of all that were there.
        **facts (str): Kept beside them.
    """
    records, path = read_records(docs), records_file(docs)
    before = {} if together else records.get(part, {}).get('results', {})
    records[part] = {
        **records.get(part, {}), **facts, 'date': date.today().isoformat(),
        'machine': describe_machine(), 'results': {**before, **results}}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(records, indent=1, allow_nan=False) + '\n', encoding='utf-8')


def write(docs: Path, lines: Mapping[str, Line]) -> Path:
    """Write the page and its picture from the records.

    Args:
        docs (Path): Folder of the page, and of the records of the recipes.
        lines (Mapping[str, Line]): By name.

    Returns:
        Path: The page.

    Raises:
        FileNotFoundError: If there are no times of the small model.
    """
    records = read_records(docs)
    if 'times' not in records or 'quality' not in records:
        raise FileNotFoundError(
            f'{records_file(docs)} has no times or no quality of the small model; measure them '
            'with --parts quality times')
    times = dict(records['times']['results'])
    times |= {name: times[line.against] for name, line in lines.items()
              if line.small is None and line.against in times}
    values = quality_of(lines, records['quality']['results'], docs)
    model = TRAINED if 'four' in records['quality'] else NOT_TRAINED
    parts = []
    for against, text in {
            ONE: INTRODUCTION.format(**records['times']),
            FOUR: FOUR_WINDOWS.format(model=model)}.items():
        parts.append(text)
        chosen = [name for name, line in lines.items() if line.against == against]
        parts.append(_small_table(lines, chosen, against, times, values))
    points = _points(lines, times, values)
    (docs / 'images').mkdir(parents=True, exist_ok=True)
    draw_points(
        {f'{group} classes': {lines[name].title.replace('`', ''): (
            times[name]['seconds'], values[name][group].mean) for name in points}
         for group in GROUPS},
        docs / 'images/speed.png', 'seconds per picture', 'PQ')
    parts += ['![PQ of base and novel classes over seconds per picture](images/speed.png)', NOTES]
    full = {against: records[f'full size, {against}'] for against in SIDES
            if f'full size, {against}' in records}
    if full:
        parts += [FULL, *(_full_table(lines, against, record) for against, record in full.items())]
    parts.append(_answer(lines, points, times, values, full))
    page = docs / 'speed.md'
    page.write_text('\n\n'.join(parts) + '\n', encoding='utf-8')
    return page


def quality_of(
    lines: Mapping[str, Line], measured: Mapping[str, Mapping], docs: Path
) -> dict[str, dict[str, Spread]]:
    """PQ of each line by group: measured, or of the recipes' trainings where there are any."""
    recipes = RECIPES.read_records(docs)
    values = {}
    for name, line in lines.items():
        runs = recipes.get(line.recipe) if line.recipe else None
        if runs:
            values[name] = {group: quality(runs, group) for group in GROUPS}
        elif name in measured:
            values[name] = {group: Spread(measured[name][group], math.nan) for group in GROUPS}
    return values


def _points(lines: Mapping, times: Mapping, values: Mapping) -> list[str]:
    return [name for name in lines if name in times and name in values]


def _small_table(
    lines: Mapping[str, Line], chosen: list[str], against: str, times: Mapping,
    values: Mapping[str, Mapping[str, Spread]],
) -> str:
    rows = []
    for name in (name for name in chosen if name in times):
        seconds = times[name]['seconds']
        ours = values.get(name, dict.fromkeys(GROUPS, Spread(math.nan, math.nan)))
        is_change = lines[name].recipe is None and name != against and name in values
        changes = [f'{ours[group].mean - values[against][group].mean:+.1f}' if is_change else ''
                   for group in GROUPS]
        rows.append([
            lines[name].title, f'{1000 * seconds:.0f}',
            f'{times[against]["seconds"] / seconds:.2f}', *(ours[group] for group in GROUPS),
            *changes, f'{times[name]["megabytes"]:.0f}'])
    return table(['', 'ms per picture', 'times as fast', *(f'PQ {group}' for group in GROUPS),
                  *(f'change, {group}' for group in GROUPS), 'MB'], rows)


def _full_table(lines: Mapping[str, Line], against: str, record: Mapping) -> str:
    results, side = record['results'], SIDES[against]
    base = [results[name]['seconds'] for name in (against, against + _AGAIN) if name in results]
    rows = []
    for name, found in results.items():
        title = lines[name.removesuffix(_AGAIN)].title + (_AGAIN if name.endswith(_AGAIN) else '')
        rows.append([title, f'{found["seconds"]:.1f}',
                     f'{sum(base) / len(base) / found["seconds"]:.2f}',
                     found.get('gigabytes', '')])
    return (f'{side} x {side} ({record["date"]}, {record["machine"]}):\n\n'
            + table(['', 's', 'times as fast', 'peak, GiB'], rows))


def _answer(
    lines: Mapping[str, Line], points: list[str], times: Mapping,
    values: Mapping[str, Mapping[str, Spread]], full: Mapping[str, Mapping],
) -> str:
    """Which line is best of those that are fast enough."""
    affordable = [name for name in points if times[name]['seconds'] <= BUDGET]

    def best(worth) -> str:
        name = max(affordable, key=worth)
        figures = ', '.join(f'{group} {values[name][group]}' for group in GROUPS)
        return (f'**{lines[name].title}** ({1000 * times[name]["seconds"]:.0f} ms; {figures})')

    def of(group: str):
        return lambda name: values[name][group].mean

    missing = [line.title for name, line in lines.items() if line.recipe and name not in points]
    seconds = {f'{lines[name.removesuffix(_AGAIN)].title}, {side} x {side}': found['seconds']
               for against, side in SIDES.items() if against in full
               for name, found in full[against]['results'].items()}
    sentences = [ANSWER.format(budget=f'{BUDGET:g}', lines=len(affordable), base=best(of('base')),
                               novel=best(of('novel')), both=best(lambda name: sum(
                                   values[name][group].mean for group in GROUPS)))]
    if missing:
        sentences.append(
            f'Not in it, for want of records of their trainings: {"; ".join(missing)}.')
    if seconds:
        fast = '; '.join(title for title, value in seconds.items() if value <= BUDGET)
        quickest = min(seconds, key=seconds.get)
        sentences.append(
            f'At full size on this machine {fast or "nothing"} is fast enough: the fastest is '
            f'*{quickest}*, {seconds[quickest]:.1f} s.')
    return '\n\n'.join(sentences)
