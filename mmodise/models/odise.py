"""ODISE, the detector."""

import logging
import reprlib
from typing import NamedTuple

from mmdet.models.detectors import MaskFormer
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample, SampleList
from mmdet.utils import OptConfigType
from mmdet.visualization import get_palette
from mmengine.logging import print_log
from torch import Tensor

from ..vocabulary import Vocabulary


class Opinions(NamedTuple):
    """What is known of a batch of images before one result is made of it.

    ``vocabularies``, ``head`` (class logits, (Q, K + 1)) and ``clip`` (the classifier's logits,
    (Q, K), or None without one) are lists of an element an image; ``masks`` are logits,
    (B, Q, H / 4, W / 4).
    """

    vocabularies: list[Vocabulary]
    masks: Tensor
    head: list[Tensor]
    clip: list[Tensor] | None


@MODELS.register_module()
class ODISE(MaskFormer):
    """Open-vocabulary panoptic segmentation (paper: arXiv 2303.04803).

    Images -> features -> masks and their embeddings -> labels -> panoptic, instance and semantic
    results. A sample that carries ``text`` (things) or ``stuff_text`` (stuff) is labelled with
    these classes, see :meth:`Vocabulary.from_texts`; any other with the training vocabulary.

    Args:
        backbone (dict): Any backbone of four maps, such as :class:`DiffusionBackbone`.
        panoptic_head (dict): :class:`ODISEHead` or :class:`ODISECaptionHead`.
        panoptic_fusion_head (dict): :class:`OpenVocabularyFusionHead`.
        classifier (dict, optional): :class:`CLIPClassifier`, the second opinion; used in testing
            only. Defaults to None.
        **kwargs: As in :class:`mmdet.models.MaskFormer`.
    """

    def __init__(self, *args, classifier: OptConfigType = None, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.classifier = None if classifier is None else MODELS.build(classifier)
        try:
            self.panoptic_fusion_head.check_size([self.panoptic_head.vocabulary])
        except ValueError as error:  # images may still bring smaller vocabularies
            print_log(f'Of the training vocabulary: {error}', 'current', logging.WARNING)

    def vocabulary_of(self, sample: DetDataSample) -> Vocabulary:
        """The classes to look for in an image: its own, or else those of the training.

        Raises:
            ValueError: If its own are not valid, such as none; names the image.
        """
        text, stuff_text = sample.get('text'), sample.get('stuff_text')
        if text is None and stuff_text is None:
            return self.panoptic_head.vocabulary
        try:
            return Vocabulary.from_texts(text, stuff_text)
        except ValueError as error:
            raise ValueError(
                f'The image {sample.get("img_path") or "without a name"} brings classes that '
                f'cannot be used, text={reprlib.repr(text)}, '
                f'stuff_text={reprlib.repr(stuff_text)}: {error}'
            ) from error

    def predict(
        self, batch_inputs: Tensor, batch_data_samples: SampleList, rescale: bool = True
    ) -> SampleList:
        """Label images.

        Args:
            batch_inputs (Tensor): RGB in [0, 1], padded, (B, 3, H, W).
            batch_data_samples (SampleList): B samples, each with its own vocabulary or none.
            rescale (bool): Whether results are of the original size. Defaults to True.

        Returns:
            SampleList: The samples with ``pred_panoptic_seg``, ``pred_instances`` and
            ``pred_sem_seg``, as ``test_cfg`` asks for.

        Raises:
            ValueError: If a vocabulary is not valid, or too large for panoptic results.
        """
        opinions = self.opinions(batch_inputs, batch_data_samples)
        return self.label(opinions, batch_data_samples, rescale=rescale)

    def opinions(self, batch_inputs: Tensor, batch_data_samples: SampleList) -> Opinions:
        """What the head and the classifier make of images; all that needs a network.

        Args:
            batch_inputs (Tensor): RGB in [0, 1], padded, (B, 3, H, W).
            batch_data_samples (SampleList): B samples, each with its own vocabulary or none.
        """
        vocabularies = [self.vocabulary_of(sample) for sample in batch_data_samples]
        self.panoptic_fusion_head.check_size(vocabularies)
        features = self.extract_feat(batch_inputs)
        logits, masks = self.panoptic_head.predict(features, batch_data_samples, vocabularies)
        second = None
        if self.classifier is not None:
            second = self.classifier(batch_inputs, masks, batch_data_samples, vocabularies)
        return Opinions(vocabularies, masks, logits, second)

    def label(
        self, opinions: Opinions, batch_data_samples: SampleList, rescale: bool = True
    ) -> SampleList:
        """Make one result of two opinions.

        Args:
            opinions (Opinions): Of :meth:`opinions`.
            batch_data_samples (SampleList): The samples they are of; get the results.
            rescale (bool): Whether results are of the original size. Defaults to True.
        """
        vocabularies, masks, logits, second = opinions
        if second is not None:
            training = self.panoptic_head.vocabulary
            logits = [
                self.classifier.combine(head, clip, vocabulary.seen_in(training))
                for head, clip, vocabulary in zip(logits, second, vocabularies, strict=True)
            ]
        results = self.panoptic_fusion_head.predict(
            logits, masks, batch_data_samples, vocabularies, rescale=rescale
        )
        self._announce(vocabularies)
        return self.add_pred_to_datasample(batch_data_samples, results)

    def add_pred_to_datasample(
        self, data_samples: SampleList, results_list: list[dict]
    ) -> SampleList:
        """As the parent's, with semantic results."""
        for sample, results in zip(data_samples, results_list, strict=True):
            if 'sem_results' in results:
                sample.pred_sem_seg = results.pop('sem_results')
        return super().add_pred_to_datasample(data_samples, results_list)

    def _announce(self, vocabularies: list[Vocabulary]) -> None:
        """Let mmdet's inferencer and visualizer know the classes of the batch.

        They read names, palette and the number that stands for void from the model's
        ``dataset_meta``; the longest vocabulary of the batch gives void, see
        :class:`OpenVocabularyFusionHead`.
        """
        meta = getattr(self, 'dataset_meta', None)
        names = max(vocabularies, key=len).class_names
        if meta is not None and tuple(meta['classes']) != names:
            meta.update(classes=names, palette=get_palette('random', len(names)))
