"""What is wrong with data, gathered by kind: errors to refuse, and what is only told."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field

from mmengine.logging import print_log

_NAMED = 3  # examples in a message


@dataclass
class Finding:
    """A kind of mistake, and where it was found.

    Args:
        what (str): What was found, which reads well after a number: ``'images without an id'``.
        advice (str): What was expected, and what to do.
        is_error (bool): Whether the data cannot be used; else they are used as ``advice`` says.
        count (int): How often it was found.
        examples (list[str]): The first entries.
    """

    what: str
    advice: str
    is_error: bool
    count: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """What it is called in reports, the same for all files: ``what`` without its numbers."""
        what = re.sub(r'^of \d+ ', '', self.what).partition(':')[0]
        return '-'.join(re.findall(r'\w+', what.lower()))

    def message(self, where: str) -> str:
        """A line for people: the file, what was found how often and where, what to do."""
        number = f'{self.count} ' if self.count > 1 or self.what.startswith('of ') else ''
        examples = [example for example in self.examples[:_NAMED] if example]
        such_as = f': {"; ".join(examples)}{"; ..." if self.count > len(examples) else ""}'
        return f'{where}: {number}{self.what}{such_as if examples else ""}. {self.advice}'


class Findings:
    """Findings of one file, or of one sample.

    Args:
        where (str): The file, as it is named in messages.
    """

    def __init__(self, where: str) -> None:
        self.where = where
        self._by_kind: dict[str, Finding] = {}

    def __iter__(self):
        return iter(self._by_kind.values())

    def error(self, what: str, example: str = '', advice: str = '', count: int = 1) -> None:
        """Note something with which the data cannot be used."""
        self._add(what, example, advice, True, count)

    def warning(self, what: str, example: str = '', advice: str = '', count: int = 1) -> None:
        """Note something in spite of which they can; ``advice`` says what is done."""
        self._add(what, example, advice, False, count)

    def merge(self, part: Findings) -> None:
        """Add what was found in a part, such as a map; examples say in which."""
        for finding in part:
            example = ', '.join(filter(None, finding.examples[:_NAMED]))
            if part.where not in example:
                example = f'{part.where}: {example}' if example else part.where
            self._add(finding.what, example, finding.advice, finding.is_error, finding.count)

    def raise_errors(self) -> None:
        """Refuse the data if there is an error.

        Raises:
            ValueError: Names the kinds of errors, with numbers and the first entries of each.
        """
        errors = [finding.message(self.where) for finding in self if finding.is_error]
        if errors:
            raise ValueError('\n'.join(errors))

    def tell(self, told: set[str] | None = None) -> None:
        """Write the warnings to the log.

        Args:
            told (set[str], optional): Kinds that need not be told again; those of this call are
                added. Defaults to None, all are told.
        """
        for finding in self:
            if finding.is_error or (told is not None and finding.what in told):
                continue
            later = ''
            if told is not None:
                told.add(finding.what)
                later = ' More of this kind are not named.'
            print_log(finding.message(self.where) + later, 'current', logging.WARNING)

    def _add(self, what: str, example: str, advice: str, is_error: bool, count: int) -> None:
        finding = self._by_kind.setdefault(what, Finding(what, advice, is_error))
        finding.count += count
        if len(finding.examples) < 100:
            finding.examples.append(example)
