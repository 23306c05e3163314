"""Our parts arranged as the official release's, beside ours, and the two as they were measured.

python -m mmodise.benchmark.side_by_side PICTURE RESULT.json...
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from .charts import draw_bars
from .report import ascii_table

OFFICIAL = Path(__file__).with_name('official_times.json')
_QUANTITIES = dict(seconds='time', peak_memory='peak memory')


def measured(record: Mapping) -> dict | None:
    """The official release beside mmodise as it was then, for what a record is of.

    Args:
        record (Mapping): Of :func:`record_of`.

    Returns:
        dict | None: One of the ``figures`` of the file; None where there is none.
    """
    wanted = record['call'], list(record['size']), record['batch']
    return next((figures for figures in read_official()['figures']
                 if (figures['call'], figures['size'], 1) == wanted), None)


def read_official() -> dict:
    """What was measured side by side, see the file."""
    return json.loads(OFFICIAL.read_text(encoding='utf-8'))


def deviations(record: Mapping, ratios: Mapping) -> dict[str, tuple[float, float, float]]:
    """How far the arrangement is from the official release.

    Args:
        record (Mapping): Ours.
        ratios (Mapping): Of :func:`ratios_of`, arrangement to ours.

    Returns:
        dict[str, tuple]: By quantity the ratio now, that of official release and mmodise then, and
        how much more the former is, as a share; nothing where they were not measured.
    """
    then = measured(record)
    if then is None:
        return {}
    return {name: (ratios[name], value, ratios[name] / value - 1)
            for name, value in then['ratios'].items() if ratios[name]}


def deviation_text(record: Mapping, ratios: Mapping) -> str:
    """The same as a table, with where the figures are from."""
    official = read_official()
    found = deviations(record, ratios)
    if not found:
        known = '; '.join(
            f'{figures["call"]}, {figures["size"][0]} x {figures["size"][1]}'
            for figures in official['figures'])
        return ('The official release itself was measured beside mmodise for one image a call: '
                f'{known}. For this there are no figures.')
    head = ['', 'arrangement / ours', 'official / mmodise', 'apart']
    rows = [[_QUANTITIES[name], f'{now:.2f}', f'{then:.2f}', f'{apart:+.0%}'.replace('%', ' %')]
            for name, (now, then, apart) in found.items()]
    return (f'{ascii_table([head, *rows])}\nOfficial / mmodise: {official["day"]}, mmodise at '
            f'commit {official["commit"]}; what mmodise has gained since is part of how far they '
            f'are apart. {official["machine"]}')


def draw_ratios(results: Sequence[Mapping], path: Path) -> None:
    """A bar chart of ratios: official release to mmodise then, and arrangement to ours now.

    Args:
        results (Sequence[Mapping]): What ``benchmark --compare official-arrangement`` wrote.
        path (Path): The picture.
    """
    official = read_official()
    days = dict.fromkeys(result['day'] for result in results)
    then, now = (f'official release / mmodise, {official["day"]}',
                 f'official arrangement / mmodise, {", ".join(days)}')
    labels, groups = [], {then: [], now: []}
    for result in results:
        point, = result['points']
        ours = point['runs'][1]
        size = ' x '.join(map(str, ours['size']))
        for name, (value, before, _) in deviations(ours, point['ratios']).items():
            labels.append(f'{ours["call"]}\n{size}, {_QUANTITIES[name]}')
            groups[then].append((before, math.nan))
            groups[now].append((value, math.nan))
    draw_bars(labels, groups, path, digits=2, xlabel='times as much as mmodise',
              title='Each pair in one run on one machine, float32, 2 CPU cores')


def main(argv: list[str] | None = None) -> None:
    """Draw what several runs found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('picture', type=Path)
    parser.add_argument('results', type=Path, nargs='+')
    args = parser.parse_args(argv)
    draw_ratios([json.loads(path.read_text(encoding='utf-8')) for path in args.results],
                args.picture)


if __name__ == '__main__':
    main()
