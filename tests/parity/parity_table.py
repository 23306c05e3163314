"""The table of a comparison with the official release."""

from __future__ import annotations

import re
from dataclasses import replace

from parity_checks import Row


def worst(rows: list[Row], by_input: bool = True) -> list[tuple[Row, int]]:
    """One line for what is of a kind: the worst, and of how many.

    Args:
        rows (list[Row]): All.
        by_input (bool): Whether models and inputs are kept apart. Defaults to True.
    """
    groups: dict[tuple, list[Row]] = {}
    for row in rows:
        stage = re.sub(r'\bwin\d+', 'win*', row.stage)
        stage = re.sub(r'\baux\d+', 'aux*', stage)
        stage = re.sub(r'(call|point_coords)\d+$', r'\1*', stage)
        stage = re.sub(r'^(loss \w+?)_\d+$', r'\1_*', stage)
        stage = re.sub(r'^((norm of )?gradient \w+\.\w+).*', r'\1.*', stage)
        key = (row.model, row.case) if by_input else (row.case == 'train', )
        groups.setdefault((*key, stage), []).append(row)
    lines = []
    for (*_, stage), members in groups.items():
        row = max(members, key=lambda row: (
            not row.passed, row.jumps, row.relative / (row.tolerance or 1)))
        shown = row if row.passed and by_input else replace(row, model='', case=(
            'train' if row.case == 'train' else 'test'))
        lines.append((replace(shown, stage=stage) if row.passed else row, len(members)))
        lines += [(other, 1) for other in members if not other.passed and other is not row]
    return lines


def table(lines: list[tuple[Row, int]]) -> list[str]:
    """The table in Markdown, with columns in line."""
    cells = [('model', 'input', 'stage', 'arrays', 'shape', 'error', 'relative', 'allowed', '')]
    cells += [
        (row.model, row.case, row.stage, str(count), 'x'.join(map(str, row.shape)),
         f'{row.error:.1e}', f'{row.relative:.1e}', f'{row.tolerance:.0e}',
         f'jumps {row.plain:.0e}' if row.jumps else 'pass' if row.passed else '**FAIL**')
        for row, count in lines]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, tuple('-' * width for width in widths))
    return ['| ' + ' | '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            + ' |' for line in cells]
