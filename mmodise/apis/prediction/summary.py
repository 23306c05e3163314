"""What became of the inputs of a run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from terminaltables import AsciiTable

if TYPE_CHECKING:
    from ..panoptic_result import PanopticResult

_MAX_ROWS = 30


@dataclass
class _ClassCount:
    is_thing: bool
    segments: int = 0
    images: int = 0
    share: float = 0.0


@dataclass
class Summary:
    """Counts of what was done and found.

    Args:
        done (int): Inputs that have their results now.
        before (int): Inputs that had them before.
        failures (list[str]): Of each input that has none, what it is and why.
        classes (dict[str, _ClassCount]): What was found in pictures, by the names of classes.
    """

    done: int = 0
    before: int = 0
    failures: list[str] = field(default_factory=list)
    classes: dict[str, _ClassCount] = field(default_factory=dict)

    def add(self, result: PanopticResult) -> None:
        """Count what was found in a picture."""
        shares = defaultdict(float)
        for segment in result.segments:
            count = self.classes.setdefault(segment.name, _ClassCount(segment.is_thing))
            count.segments += 1
            shares[segment.name] += segment.area / result.segment_ids.size
        for name, share in shares.items():
            self.classes[name].images += 1
            self.classes[name].share += share

    @classmethod
    def of_all(cls, parts: Iterable[Summary]) -> Summary:
        """The summary of several processes."""
        whole = cls()
        for part in parts:
            whole.done += part.done
            whole.before += part.before
            whole.failures += part.failures
            for name, count in part.classes.items():
                total = whole.classes.setdefault(name, _ClassCount(count.is_thing))
                total.segments += count.segments
                total.images += count.images
                total.share += count.share
        return whole

    def table(self) -> str:
        """The classes that were found, those of the most pictures first."""
        ordered = sorted(self.classes.items(), key=lambda item: (-item[1].images, item[0]))
        rows = [['class', 'kind', 'pictures', 'segments', 'share where it is']]
        rows += [[name, 'thing' if count.is_thing else 'stuff', count.images, count.segments,
                  f'{count.share / count.images:.1%}'] for name, count in ordered[:_MAX_ROWS]]
        more = len(ordered) - _MAX_ROWS
        return AsciiTable(rows).table + (f'\nand {more} classes more' if more > 0 else '')

    def line(self, seconds: float) -> str:
        """What was done, and how fast."""
        parts = [f'{self.done} done in {seconds:.1f} s']
        if self.done:
            parts[0] += f', {self.done / max(seconds, 1e-9):.2f} a second'
        if self.before:
            parts.append(f'{self.before} were done before, and have not changed')
        if self.failures:
            parts.append(f'{len(self.failures)} failed')
        return '; '.join(parts)


def segment_table(result: PanopticResult) -> str:
    """The segments of a picture as a table, the largest first."""
    rows = [['class', 'kind', 'score', 'share', 'left, top, right, bottom']]
    rows += [[segment.name, 'thing' if segment.is_thing else 'stuff', f'{segment.score:.2f}',
              f'{segment.area / result.segment_ids.size:.1%}', ', '.join(map(str, segment.box))]
             for segment in sorted(result.segments, key=lambda segment: -segment.area)]
    return AsciiTable(rows).table
