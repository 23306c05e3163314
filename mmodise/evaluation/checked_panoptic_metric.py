"""mmdet's panoptic quality, by names, from maps that were checked."""

from __future__ import annotations

import os.path as osp
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import mmcv
import numpy as np
from mmdet.evaluation import INSTANCE_OFFSET, CocoPanopticMetric
from mmdet.registry import METRICS
from mmengine.fileio import dump
from mmengine.logging import print_log
from panopticapi.evaluation import PQStat
from panopticapi.utils import id2rgb

from ..datasets.panoptic.classes import check_classes, thing_classes
from ..datasets.panoptic.findings import Findings
from ..datasets.panoptic.segments import Segments, read_segments
from .own_vocabulary import OwnVocabulary, name_figures
from .panoptic_quality import match_segments
from .panoptic_truth import PanopticTruth
from .predicted_segments import PredictedSegments, predicted_segments
from .truth_check import ChecksTruth


@METRICS.register_module(name='CocoPanopticMetric', force=True)  # old configs gain, too
class CheckedPanopticMetric(ChecksTruth, CocoPanopticMetric):
    """mmdet's ``CocoPanopticMetric``, under its name, with what it takes on trust checked.

    Figures are mmdet's where the data are as they should be. It differs in this:

    - A label is the place of a class in the metainfo's ``classes``, whatever the order of the
      categories in the annotation file; a class that only one of them has is left out, and told.
      The metainfo says what is a thing; its ``thing_classes`` may hold synonyms.
    - The map of an image is the one that its annotation names, read as the data set reads it. The
      areas of segments are those of their pixels, unless ``areas`` says otherwise.
    - Only images that were tested count, and that are annotated.
    - Results of images of one name in two folders do not overwrite each other.
    - Maps are compared in memory as they come, by the process that tests.
    - After the evaluation ``per_class`` has PQ, SQ and RQ of each class that occurs, by name.
    - Samples may bring vocabularies of their own, with other numbers of classes than the data set;
      their labels go by name, see :class:`OwnVocabulary`. If these have nothing but what is in the
      images, figures are called ``oracle_PQ``, and so on.

    Args:
        ann_file (str, optional): COCO's panoptic JSON file. Defaults to None, with which samples
            must have ``segments_info`` and ``seg_map_path``, or ``seg_prefix`` is given.
        seg_prefix (str, optional): The folder of its maps. Defaults to None.
        format_only (bool): Whether to write results and compute nothing. Defaults to False.
        outfile_prefix (str, optional): Of the files that results are written to. Defaults to None,
            none are written.
        areas (str): ``'pixels'``; or ``'file'``, as panopticapi has them: those of the annotation
            file, if it has them (but no overlap exceeds 1), and a segment without pixels is missed.
            ADE20K's usual files have areas of before instances were pasted over stuff, and
            published figures are made with these. Defaults to 'pixels'.
        **kwargs: As for ``CocoPanopticMetric``; ``nproc`` has no effect.

    Raises:
        FileNotFoundError: If the file is not there, or all of its maps are not.
        ValueError: If the file is not valid; or when the data set is known, if its classes are
            spelt differently there.
    """

    def __init__(
        self,
        ann_file: str | None = None,
        seg_prefix: str | None = None,
        format_only: bool = False,
        outfile_prefix: str | None = None,
        areas: str = 'pixels',
        **kwargs,
    ) -> None:
        super().__init__(seg_prefix=seg_prefix, **kwargs)
        if areas not in ('pixels', 'file'):
            raise ValueError(
                f"{type(self).__name__}: areas={areas!r}, expected 'pixels' or 'file'.")
        self.areas = areas
        self.per_class: dict[str, dict[str, float]] = {}
        if format_only and outfile_prefix is None:
            raise ValueError(f'{type(self).__name__}: format_only=True needs an outfile_prefix, '
                             'which says where results are written.')
        if ann_file and not format_only and seg_prefix is None:
            raise ValueError(f'{type(self).__name__}: ann_file={ann_file!r} needs a seg_prefix, '
                             'the folder of its maps.')
        self.format_only, self.outfile_prefix = format_only, outfile_prefix
        self._told: set[str] = set()
        self._truth = None
        if ann_file:
            self._truth = PanopticTruth(
                ann_file, None if format_only else seg_prefix, self.backend_args)

    @property
    def dataset_meta(self) -> dict | None:
        """Metainfo of the data set, its thing classes called as in ``classes``."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: Mapping) -> None:
        classes = check_classes(dataset_meta)
        if len(classes) >= INSTANCE_OFFSET:
            raise ValueError(
                f'{type(self).__name__}: the data set has {len(classes)} classes, and a panoptic '
                f'result holds {INSTANCE_OFFSET - 1} at most (mmdet numbers segments so).')
        self._category_ids = range(len(classes))
        if self._truth is not None:
            self._category_ids = self._truth.match(dataset_meta).category_ids
        self._metainfo = dict(dataset_meta)  # with the synonyms of things
        self._dataset_meta = dict(dataset_meta, thing_classes=thing_classes(dataset_meta))

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Compare results with the ground truth, and write them if they are asked for.

        Args:
            data_batch: Not read.
            data_samples: Each with ``img_id``, ``img_path`` and ``pred_panoptic_seg``.
        """
        for sample in data_samples:
            own = OwnVocabulary.of(sample, self._metainfo)
            sample = sample if own is None else own.translate(sample)
            segment_ids, numbers, labels = self.read_prediction(sample)
            truth = None if self.format_only else self.read_truth(sample)
            stats = None if truth is None else match_segments(truth, numbers, labels)
            if truth is not None and self._truth is not None and self.areas == 'file':
                for label in self._truth.labels_without_pixels(sample['img_id'], truth):
                    stats[label].fn += 1
            written = None
            if self.outfile_prefix is not None:
                written = self._write(sample, segment_ids, numbers, labels)
            self.results.append((stats, written))
            if own is not None and truth is not None:
                self.results[-1] += (own.is_only({info['label'] for info in truth.infos}), )

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Compute the metrics, in percent.

        Args:
            results: What ``process`` has stored: an element per image.
        """
        total = self._total(results)
        if self.outfile_prefix is not None:
            dump(dict(annotations=[result[1] for result in results]),
                 f'{self.outfile_prefix}.panoptic.json')
        if self.format_only:
            print_log(f'Results are in {self.outfile_prefix}.panoptic.json', 'current')
            return {}
        self._note_classes(total)
        flags = only_present(results)
        self.per_class = {
            name: name_figures(figures, flags) for name, figures in self.per_class.items()}
        return name_figures(super().compute_metrics([total]), flags)

    def _note_classes(self, total: PQStat) -> None:
        self.per_class = {}
        for label, name in enumerate(self.dataset_meta['classes']):
            count = total[label]
            if count.tp + count.fp + count.fn:
                _, found = total.pq_average({label: dict(isthing=0)}, isthing=None)
                self.per_class[name] = {
                    key.upper(): 100 * float(found[label][key]) for key in ('pq', 'sq', 'rq')}

    def _total(self, results: Iterable) -> PQStat:
        """Counts of the images that are annotated."""
        total, tested, annotated = PQStat(), 0, 0
        for stat, *_ in results:
            tested += 1
            if stat is not None:
                annotated += 1
                total += stat
        if not self.format_only and annotated < tested:
            findings = Findings(self._truth.file.path)
            findings.warning(f'of {tested} images that were tested have no annotation',
                             advice='They do not count.', count=tested - annotated)
            if not annotated:
                findings.error('images were tested, and none is annotated', count=tested)
            findings.raise_errors()
            findings.tell()
        return total

    def read_prediction(self, sample: Mapping) -> PredictedSegments:
        """The predicted segments of an image, of classes that the ground truth has.

        Args:
            sample (Mapping): With ``pred_panoptic_seg``.

        Raises:
            ValueError: If it is of another vocabulary.
        """
        known = [category_id is not None for category_id in self._category_ids]
        return predicted_segments(sample, len(known), known)

    def read_truth(self, sample: Mapping) -> Segments | None:
        """The segments of an image in the ground truth, with ``label`` and ``iscrowd`` of each.

        Args:
            sample (Mapping): With ``img_id``, and perhaps ``img_path`` and ``ori_shape``.

        Returns:
            Segments | None: None if the image has no annotation.
        """
        if self._truth is not None:
            truth = self._truth.read(sample)
            if truth is not None and self.areas == 'file':
                return replace(truth, areas=np.array([
                    info.get('area') or pixels
                    for info, pixels in zip(truth.infos, truth.areas.tolist(), strict=True)]))
            return truth
        path = sample.get('seg_map_path') or osp.join(
            self.seg_prefix, f'{osp.splitext(osp.basename(sample["img_path"]))[0]}.png')
        findings, num_classes = Findings(path), len(self.dataset_meta['classes'])
        segments = read_segments(
            path, sample['segments_info'], findings, sample['ori_shape'][:2], sample['img_path'],
            self.backend_args)
        findings.tell(self._told)
        segments = segments.keep([place for place, info in enumerate(segments.infos)
                                  if info['category'] < num_classes])
        num_things = len(self.dataset_meta['thing_classes'])
        return replace(segments, infos=tuple(dict(
            label=info['category'],
            iscrowd=info['category'] < num_things and not info['is_thing'],
        ) for info in segments.infos))

    def _write(
        self, sample: Mapping, segment_ids: np.ndarray, numbers: np.ndarray, labels: list[int]
    ) -> dict:
        """Write the map of a result in COCO's format; return the entry of its annotation file."""
        name = f'{osp.splitext(osp.basename(sample["img_path"]))[0]}.png'
        if self._truth is not None:
            name = self._truth.result_name(sample['img_id'])
        ids = np.array([0, *segment_ids])
        # an id of 0 means void: that of the first class, if it is stuff, is another one
        ids[1:][segment_ids == 0] = INSTANCE_OFFSET - 1
        mmcv.imwrite(id2rgb(ids[numbers])[..., ::-1],
                     osp.join(f'{self.outfile_prefix}.panoptic', name))
        areas, num_things = np.bincount(numbers.ravel()), len(self.dataset_meta['thing_classes'])
        return dict(
            image_id=sample['img_id'], file_name=name,
            segments_info=[
                dict(id=int(ids[number]), category_id=self._category_ids[label],
                     area=int(areas[number]), isthing=int(label < num_things))
                for number, label in enumerate(labels, start=1)])


def only_present(results: Iterable[tuple]) -> list[bool | None]:
    """Of images that brought their own vocabularies, whether these had only what is in them.

    Args:
        results (Iterable[tuple]): What a :class:`CheckedPanopticMetric` has stored.
    """
    return [result[2] for result in results if len(result) > 2]
