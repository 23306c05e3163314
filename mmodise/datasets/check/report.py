"""What a check of data sets has found, for people and for programs."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from ..panoptic.findings import Finding
from .samples import Sample

_SHOWN, _KEPT = 3, 20  # examples in the text and in the JSON file


@dataclass
class SetReport:
    """What was found in a data set.

    Args:
        name (str): ``'train'``, ``'val and test'``, ...
        ann_file (str): Its annotation file.
        images (int): Those that would be used.
        segments (int): In the annotation file.
        classes (dict[str, tuple[int, int]]): Of each class the number of segments, and of images.
        findings (list[Finding]): By kind.
    """

    name: str
    ann_file: str
    images: int
    segments: int
    classes: dict[str, tuple[int, int]]
    findings: list[Finding]

    def text(self) -> str:
        """Lines for people; errors first."""
        lines = [f'{self.name}: {self.ann_file}',
                 f'  {self.images} images, {self.segments} segments, {len(self.classes)} classes']
        for finding in sorted(self.findings, key=lambda finding: not finding.is_error):
            what = finding.what.removeprefix(f'of {finding.count} ')
            lines.append(f'  {"ERROR" if finding.is_error else "odd  "} {finding.count:6d}  {what} '
                         f'[{finding.kind}]')
            examples = list(filter(None, finding.examples))
            lines += [f'{"":16}{example}' for example in examples[:_SHOWN]]
            if finding.count > _SHOWN and examples:
                lines.append(f'{"":16}...')
            if finding.advice:
                lines.append(f'{"":16}-> {finding.advice}')
        return '\n'.join(lines)

    def content(self) -> dict:
        """The same for programs, see :meth:`Report.content`."""
        return dict(
            name=self.name, ann_file=self.ann_file, images=self.images, segments=self.segments,
            classes={name: dict(segments=segments, images=images)
                     for name, (segments, images) in self.classes.items()},
            findings=[dict(
                id=finding.kind, severity='error' if finding.is_error else 'odd',
                count=finding.count, what=finding.what,
                examples=list(filter(None, finding.examples))[:_KEPT], advice=finding.advice,
            ) for finding in self.findings])


@dataclass
class Report:
    """What was found in several data sets.

    Args:
        sets (list[SetReport]): One per data set.
        usable (list[tuple]): Of each the samples without an error, and the names of its classes by
            the ids of their categories.
    """

    sets: list[SetReport]
    usable: list[tuple[list[Sample], dict[Hashable, str]]]

    def count(self, is_error: bool) -> int:
        """How often something was found that is an error, or that is only odd."""
        return sum(finding.count for each in self.sets for finding in each.findings
                   if finding.is_error == is_error)

    def text(self) -> str:
        """The report for people."""
        return '\n\n'.join([
            *(each.text() for each in self.sets),
            f'{self.count(True)} errors, {self.count(False)} odd'])

    def content(self) -> dict:
        """The report for programs.

        Returns:
            dict: ``errors`` and ``odd``, numbers, and ``sets``: a dict for each with ``findings``,
            whose ``id`` is the same in all reports.
        """
        return dict(errors=self.count(True), odd=self.count(False),
                    sets=[each.content() for each in self.sets])
