"""The page of a comparison, its table and picture, from the records of finished runs.

Reads DOCS/NAME/records.jsonl, which ``compare_claims`` fills, and writes DOCS/NAME.md and
DOCS/images/NAME.png.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config

from ..evaluation import Spread, judge
from ..utils.paths import configs_folder
from .charts import draw_bars
from .cross_classifiers import Classifier

CONFIGS = configs_folder()
BASELINE = 'recipe'
RECIPE = 'odise/odise_sd-small_shapes-panoptic.py', 'recipe'
GROUPS = 'base', 'novel', 'all'

FIGURES = """\
Figures are PQ in percent, mean ± sample standard deviation over seeds. "Head alone" is the same
model without `CLIPClassifier`, with in-vocabulary scores only. Cost: seconds an iteration of the
training (wall clock, median, of the fastest seed), GFLOPs of the backbone an image, forward and
backward (convolutions and matrix products), and the parameters trained, in millions."""

RULE = """\
{a_claim} *shows* where the difference of the means is larger than the sum of both standard
deviations. That is a rule of thumb, not a test: the seeds are few, they change the head and the
order of the images, not the frozen models, and the data set is small."""

Records = dict[str, dict[int, dict]]


class Claim(NamedTuple):
    """What is compared with the recipe, and what is said of it.

    Attributes:
        title: Of the section.
        paper: What the paper says; '' if nothing.
        others: The lines.
        note: What else is to be said.
        with_cost: Whether the section says what the recipe and the first line cost.
        reverse: Whether the lines are claimed to be better than the recipe, rather than worse.
    """

    title: str
    paper: str
    others: tuple[str, ...]
    note: str = ''
    with_cost: bool = False
    reverse: bool = False


class Comparison(NamedTuple):
    """A table of lines, each a config, that change one thing of a recipe.

    Attributes:
        name: Of its page, of its records and of its picture.
        lines: Config and title of each line by its name; the recipe is ``'recipe'``.
        claims: Sections of the page.
        introduction: Start of the page, with ``{seeds}``.
        a_claim: What the rule of thumb calls a claim.
        grid: Steps of alpha and beta that the recipe is evaluated over; 0 for none.
        extra: Draws more pictures into the folder of pages and returns one more section.
        borrows: Other comparisons whose records of the same configs count, too.
        classifiers: What each trained model is tested with as well.
    """

    name: str
    lines: Mapping[str, tuple[str, str]]
    claims: tuple[Claim, ...]
    introduction: str
    a_claim: str = 'A claim'
    grid: int = 0
    extra: Callable[[Records, Path], str] | None = None
    borrows: tuple[str, ...] = ()
    classifiers: Mapping[str, Classifier] = {}

    def records_file(self, docs: Path) -> Path:
        """Where its records are."""
        return docs / self.name / 'records.jsonl'

    def iterations_of(self, line: str, max_iters: int | None = None) -> int:
        """How long a line is trained: as asked for, or else as its config says."""
        return max_iters or Config.fromfile(CONFIGS / self.lines[line][0]).train_cfg.max_iters

    def read_records(self, docs: Path, max_iters: int | None = None) -> Records:
        """Read the records of trainings of the right length.

        Args:
            docs (Path): Folder of pages; a record a line; of several of one run the last counts,
                its own before those that it borrows.
            max_iters (int, optional): Iterations; None, as the configs say. Defaults to None.

        Returns:
            dict[str, dict[int, dict]]: By line, then by seed; lines in the order of the table.
        """
        files = [*(docs / name / 'records.jsonl' for name in self.borrows),
                 self.records_file(docs)]
        text = ''.join(file.read_text(encoding='utf-8') for file in files if file.is_file())
        records = {line: {} for line in self.lines}
        names = {Path(config).stem: line for line, (config, _) in self.lines.items()}
        lengths = {line: self.iterations_of(line, max_iters) for line in self.lines}
        for record in map(json.loads, text.splitlines()):
            line = names.get(record['config'])
            if line and record['iterations'] == lengths[line]:
                records[line][record['seed']] = record
        return {line: dict(sorted(runs.items())) for line, runs in records.items()}

    def main_table(self, records: Records) -> str:
        """All lines that have a record."""
        header = ['line', 'seeds', *GROUPS, *(f'{group}, head alone' for group in GROUPS),
                  's / iteration', 'GFLOPs', 'trained, M']
        rows = [
            [self.lines[line][1], len(runs),
             *(quality(runs, group, scores) for scores in ('with_clip', 'without_clip')
               for group in GROUPS),
             f'{cost(runs, "seconds_per_iteration"):.2f}', f'{cost(runs, "backbone_gflops"):.1f}',
             f'{cost(runs, "trained_parameters") / 1e6:.2f}']
            for line, runs in records.items() if runs
        ]
        return table(header, rows)

    def claim_section(self, claim: Claim, records: Records) -> str:
        """What is said of a claim, and what the records do."""
        ours, rows = records[BASELINE], []
        for line in claim.others:
            label, runs = self.lines[line][1], records[line]
            pair = (runs, ours) if claim.reverse else (ours, runs)
            verdicts = [judge(*(quality(r, group) for r in pair)) for group in GROUPS]
            label = f'{label} against recipe' if claim.reverse else f'recipe against {label}'
            rows.append([label, *(verdicts if runs else ['not run'] * 3)])
        said = f'Paper: {claim.paper} {claim.note}' if claim.paper else claim.note
        text = f'## {claim.title}\n\n{said}'.rstrip() + '\n\n' + table(['', *GROUPS], rows)
        other = claim.others[0]
        if claim.with_cost and ours and records[other]:
            costs = [f'{title} {cost(runs, "seconds_per_iteration"):.2f}' for title, runs in (
                ('recipe', ours), (self.lines[other][1], records[other]))]
            text += (f'\n\nCost: the {", the ".join(costs)} seconds an iteration of the '
                     'training.')
        return text

    def write_report(self, docs: Path, max_iters: int | None = None) -> Path:
        """Write page and pictures; returns the page.

        Raises:
            FileNotFoundError: If there is no record of such a training.
        """
        records = self.read_records(docs, max_iters)
        done = {line: runs for line, runs in records.items() if runs}
        if not done:
            length = max_iters or 'as many iterations as the configs say'
            raise FileNotFoundError(
                f'{self.records_file(docs)} has no record of a training of {length}: `mim run '
                f'mmodise compare_claims --table {self.name}`, or give the --max-iters that the '
                'records were made with')
        (docs / 'images').mkdir(parents=True, exist_ok=True)
        bars = {group: [quality(runs, group) for runs in done.values()] for group in GROUPS[:2]}
        draw_bars([self.lines[line][1] for line in done], bars, docs / f'images/{self.name}.png',
                  title='Panoptic quality, mean and standard deviation over seeds', xlabel='PQ')
        extra = [self.extra(records, docs)] if self.extra else []
        seeds = max(len(runs) for runs in done.values())
        page = docs / f'{self.name}.md'
        page.write_text('\n\n'.join([
            self.introduction.format(seeds=seeds), conditions(done), self.main_table(done),
            f'![Base and novel PQ of each line](images/{self.name}.png)',
            RULE.format(a_claim=self.a_claim),
            *(self.claim_section(claim, records) for claim in self.claims), *extra,
        ]) + '\n', encoding='utf-8')
        return page


def quality(runs: dict[int, dict], group: str, scores: str = 'with_clip') -> Spread:
    """PQ of a group of classes over the seeds of a line."""
    return Spread.of(run[scores][group]['PQ'] for run in runs.values())


def cost(runs: dict[int, dict], key: str) -> float:
    """Smallest cost over the seeds of a line: other work on the machine only makes a run slower."""
    return min(run['cost'][key] for run in runs.values())


def table(
    header: Iterable[str], rows: Iterable[Iterable[object]], of_numbers: bool = True
) -> str:
    """A table in Markdown: after the first column numbers to the right, or texts to the left."""
    header = list(header)
    lines = [header, ['---'] + ['---:' if of_numbers else '---'] * (len(header) - 1), *rows]
    return '\n'.join('| ' + ' | '.join(map(str, line)) + ' |' for line in lines)


def conditions(records: Records) -> str:
    """When, where and how long."""
    runs = [run for line in records.values() for run in line.values()]

    def found(key: str) -> str:
        return ', '.join(str(value) for value in sorted({run[key] for run in runs}))

    return (f'Date: {found("date")}. Machine: {found("machine")}. Iterations: '
            f'{found("iterations")}, of {found("batch_size")} images. Seeds: {found("seed")}.')
