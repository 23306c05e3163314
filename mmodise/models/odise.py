"""ODISE, the detector."""

from __future__ import annotations

import logging

from mmdet.models.detectors import MaskFormer
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample, SampleList
from mmdet.utils import ConfigType, OptConfigType
from mmdet.visualization import get_palette
from mmengine.logging import print_log
from torch import Tensor, nn

from ..vocabulary import Vocabulary
from .backbones import DiffusionBackbone, check_widths
from .clip import FrozenCLIP, Prompt
from .data_preprocessor import check_padding
from .ensembles import score_objects
from .heads import MaskTargets, check_queries, true_masks
from .observation import Observation, Scores
from .results import SegmentMap
from .sample import own_caption, own_vocabulary


@MODELS.register_module()
class ODISE(MaskFormer):
    """Open-vocabulary panoptic segmentation (paper: arXiv 2303.04803).

    Images -> features -> masks -> in- and out-of-vocabulary scores of names -> one score ->
    panoptic, instance and semantic results. A sample's own classes are looked for, see
    :meth:`vocabulary_of`, or else those of the training.

    Args:
        backbone (dict): Any backbone of four maps, such as :class:`DiffusionBackbone`
            and :class:`CLIPBackbone`.
        panoptic_head (dict): A :class:`MaskSource`: :class:`ODISEHead`, :class:`ODISECaptionHead`,
            :class:`FCCLIPHead`, :class:`ClusterHead`.
        panoptic_fusion_head (dict): :class:`OpenVocabularyFusionHead`.
        classifier (dict, optional): A :class:`MaskClassifier` for out-of-vocabulary scores:
            :class:`CLIPClassifier`, :class:`PooledCLIPClassifier`. Defaults to None.
        ensemble (dict, optional): What makes one score of in- and out-of-vocabulary scores.
            Defaults to a :class:`GeometricEnsemble`, which is also its type if none is said.
            ``alpha`` and ``beta`` of the classifier, where older configs and commands give them,
            take the place of the ensemble's.
        consistency (dict, optional): A :class:`ConsistencyLoss`, one more loss of the training.
            Defaults to None.
        train_classifier_only (bool): Leave everything else as it was loaded, and compute none of
            it in training; for a classifier that learns from true masks, such as
            :class:`TunedCLIPClassifier`. Defaults to False.
        **kwargs: As in :class:`mmdet.models.MaskFormer`. ``test_cfg`` is the fusion head's, but for
            ``max_queries``, see :meth:`OpenVocabularyHead.find`.

    Raises:
        ValueError: If the classifier is to be trained alone, and cannot be; or there are no queries
            for ``test_cfg.max_queries``.
    """

    def __init__(
        self,
        *args,
        classifier: OptConfigType = None,
        ensemble: OptConfigType = None,
        consistency: OptConfigType = None,
        train_classifier_only: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(*args, **kwargs)
        check_queries(self.panoptic_head, self.test_cfg)
        if not self.with_neck:
            check_widths(self.backbone, self.panoptic_head)
        self.classifier = self.ensemble = None
        if classifier is not None:
            self.classifier = MODELS.build(classifier)
            self.classifier.connect(self.backbone, self.neck if self.with_neck else None)
            ensemble = {'type': 'GeometricEnsemble', **(ensemble or {})}
            self.ensemble = MODELS.build({**ensemble, **_shares(classifier, ensemble)})
        self.consistency = None
        if consistency is not None:
            self.consistency = MODELS.build(consistency)
            self.consistency.check(self.panoptic_head, self.classifier)
        self.train_classifier_only = train_classifier_only
        if train_classifier_only:
            self._check_classifier_only()
            for part in self._all_but_classifier():
                part.requires_grad_(False)
        try:
            self.panoptic_fusion_head.check_size([self.panoptic_head.vocabulary])
        except ValueError as error:  # images may still bring smaller vocabularies
            print_log(f'Of the training vocabulary: {error}', 'current', logging.WARNING)

    def _check_classifier_only(self) -> None:
        classifier = self.classifier
        if classifier is None or not (classifier.trains and classifier.learns_from_truth):
            raise ValueError(
                'model.train_classifier_only=True needs a model.classifier that learns from true '
                f'masks, such as TunedCLIPClassifier; this one is '
                f'{"None" if classifier is None else type(classifier).__name__}.')
        if self.consistency is not None:
            raise ValueError(
                'model.train_classifier_only=True leaves the head as it is, and model.consistency '
                'is for its training. Leave one of them out.')

    def _all_but_classifier(self) -> list[nn.Module]:
        return [part for name, part in self.named_children() if name != 'classifier']

    def train(self, mode: bool = True) -> ODISE:
        """As the parent's; what is not trained stays as it is in testing."""
        super().train(mode)
        if self.train_classifier_only:
            for part in self._all_but_classifier():
                part.eval()
        return self

    def vocabulary_of(self, sample: DetDataSample) -> Vocabulary:
        """The classes to look for in an image.

        They are the sample's ``vocabulary``, a :class:`Vocabulary`; or else its ``text`` (things)
        and ``stuff_text`` (stuff), see :meth:`Vocabulary.from_texts`; or else those of the
        training.

        Raises:
            ValueError: If its own are not valid, such as none; names the image.
        """
        return own_vocabulary(sample) or self.panoptic_head.vocabulary

    def extract_feat(
        self, batch_inputs: Tensor, batch_data_samples: SampleList | None = None
    ) -> tuple[Tensor, ...]:
        """Extract the maps that masks are made from.

        Args:
            batch_inputs (Tensor): RGB in [0, 1], padded, (B, 3, H, W).
            batch_data_samples (SampleList, optional): B samples, whose ``caption`` a captioner may
                read. Defaults to None.

        Raises:
            ValueError: If the captioner reads captions, and an image has none.
        """
        captions = self._captions(batch_inputs, batch_data_samples)
        if not captions:
            return super().extract_feat(batch_inputs)
        maps = self.backbone(batch_inputs, captions)
        return self.neck(maps) if self.with_neck else maps

    def _captions(
        self, batch_inputs: Tensor, batch_data_samples: SampleList | None
    ) -> list[str]:
        """What the images bring as their captions, if the backbone reads them."""
        if not getattr(self.backbone, 'reads_captions', False):
            return []
        return [*map(own_caption, batch_data_samples or [DetDataSample()] * len(batch_inputs))]

    def loss(self, batch_inputs: Tensor, batch_data_samples: SampleList) -> dict[str, Tensor]:
        """Compute the losses of the mask source, of a classifier that trains, of consistency.

        Args:
            batch_inputs (Tensor): RGB in [0, 1], padded, (B, 3, H, W).
            batch_data_samples (SampleList): B samples with true masks.

        Returns:
            dict[str, Tensor]: Scalars; names of the classifier's begin with 'classifier.'.

        Raises:
            ValueError: If maps of classes were padded with a class.
        """
        check_padding(self.data_preprocessor, len(self.panoptic_head.vocabulary))
        head, classifier, consistency = self.panoptic_head, self.classifier, self.consistency
        trains = classifier is not None and classifier.trains
        from_truth = trains and classifier.learns_from_truth
        is_consistent = consistency is not None and bool(consistency.weights)
        losses, features, targets = {}, (), None
        if not self.train_classifier_only:
            features = self.extract_feat(batch_inputs, batch_data_samples)
            if is_consistent or (trains and not from_truth):
                losses, targets = head.loss_and_targets(features, batch_data_samples)
            else:
                losses = head.loss(features, batch_data_samples)
        if is_consistent:
            losses |= consistency(self, batch_inputs, features, batch_data_samples, targets)
        if trains:
            if from_truth:
                truth = true_masks(batch_data_samples, head.vocabulary)
                targets = MaskTargets(head.vocabulary, truth)
            more = classifier.loss(batch_inputs, features, batch_data_samples, targets)
            losses |= {f'classifier.{name}': value for name, value in more.items()}
        return losses

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
        scores = self.predict_scores(batch_inputs, batch_data_samples)
        return self.make_results(scores, batch_data_samples, rescale=rescale)

    def predict_scores(self, batch_inputs: Tensor, batch_data_samples: SampleList) -> Scores:
        """Predict masks and their scores; all that needs a network.

        Args:
            batch_inputs (Tensor): RGB in [0, 1], padded, (B, 3, H, W).
            batch_data_samples (SampleList): B samples, each with its own vocabulary or none.
        """
        vocabularies = [self.vocabulary_of(sample) for sample in batch_data_samples]
        self.panoptic_fusion_head.check_size(vocabularies)
        observation = self.observe(batch_inputs, batch_data_samples)
        return self.score(observation, batch_data_samples, vocabularies)

    def observe(self, batch_inputs: Tensor, batch_data_samples: SampleList) -> Observation:
        """Compute what does not depend on names: nearly all that takes time.

        Args:
            batch_inputs (Tensor): RGB in [0, 1], padded, (B, 3, H, W).
            batch_data_samples (SampleList): B samples; their classes are not read.
        """
        features = self.extract_feat(batch_inputs, batch_data_samples)
        head, classifier = self.panoptic_head, self.classifier
        if not head.finds_without_names:
            return Observation(None, None, (batch_inputs, features))
        found = head.find(features, batch_data_samples)
        if classifier is None:
            return Observation(found, None, None)
        if not classifier.embeds_without_names:
            return Observation(found, None, (batch_inputs, features))
        embeddings = classifier.embed(batch_inputs, features, found.masks, batch_data_samples)
        return Observation(found, embeddings, None)

    def score(
        self, observation: Observation, batch_data_samples: SampleList,
        vocabularies: list[Vocabulary],
    ) -> Scores:
        """Score names, again and again if need be.

        Args:
            observation (Observation): Of :meth:`observe`.
            batch_data_samples (SampleList): The samples that it is of.
            vocabularies (list[Vocabulary]): One per image.
        """
        found, embeddings, inputs = observation
        images, features = inputs or (None, None)
        if found is None:
            predictions = self.panoptic_head.predict(features, batch_data_samples, vocabularies)
        else:
            predictions = self.panoptic_head.name(found, vocabularies)
        if self.classifier is None:
            return Scores(vocabularies, predictions, None)
        if embeddings is not None:
            return Scores(
                vocabularies, predictions, self.classifier.score(embeddings, vocabularies))
        return Scores(vocabularies, predictions, self.classifier(
            images, features, predictions.masks, batch_data_samples, vocabularies))

    def name_encoders(self) -> list[tuple[FrozenCLIP, Prompt]]:
        """What embeds names, each with a prompt that it puts them into; each pair once."""
        parts = [part for part in (self.panoptic_head, self.classifier) if part is not None]
        pairs = [pair for part in parts for pair in part.name_encoders()]
        return [*{(clip.frozen, prompt): (clip, prompt) for clip, prompt in pairs}.values()]

    def extract_maps(
        self, batch_inputs: Tensor, batch_data_samples: SampleList | None = None
    ) -> dict[str, Tensor]:
        """The maps that masks are made from, by name.

        Args:
            batch_inputs (Tensor): As in :meth:`extract_feat`.
            batch_data_samples (SampleList, optional): Likewise.

        Returns:
            dict[str, Tensor]: Those of the extractor, if there is one, see
            :meth:`DiffusionBackbone.inner_maps`; and what the head is given, ``'pyramidS'`` with
            stride S.
        """
        maps = {}
        if isinstance(self.backbone, DiffusionBackbone):
            captions = self._captions(batch_inputs, batch_data_samples)
            maps, features = self.backbone.inner_maps(batch_inputs, captions)
            features = self.neck(features) if self.with_neck else features
        else:
            features = self.extract_feat(batch_inputs, batch_data_samples)
        width = batch_inputs.shape[-1]
        return maps | {f'pyramid{round(width / f.shape[-1])}': f for f in features}

    def fuse(self, scores: Scores, **shares: float) -> list[Tensor]:
        """Make one score of in- and out-of-vocabulary scores.

        Args:
            scores (Scores): Of :meth:`score`.
            **shares (float): ``alpha``, ``beta`` and ``trust``, in place of the ensemble's own.

        Returns:
            list[Tensor]: Class logits per image, "no object" last, (Q, K + 1).

        Raises:
            ValueError: If there are neither in- nor out-of-vocabulary scores, or a share is not
                between 0 and 1.
        """
        vocabularies, predictions, out_of_vocabulary = scores
        in_vocabulary = predictions.in_vocabulary
        if out_of_vocabulary is None:
            if in_vocabulary is None:
                raise ValueError(
                    f'{type(self.panoptic_head).__name__} gives masks without names, and there is '
                    'no classifier: set model.classifier, for example to a CLIPClassifier.')
            return list(in_vocabulary)
        if in_vocabulary is None:
            objectness = predictions.objectness or [None] * len(vocabularies)
            trust = shares.get('trust', getattr(self.ensemble, 'trust', 0.0))
            return [score_objects(scores.logits, objects, scores.valid, trust)
                    for scores, objects in zip(out_of_vocabulary, objectness, strict=True)]
        training = self.panoptic_head.vocabulary
        images = zip(in_vocabulary, out_of_vocabulary, vocabularies, strict=True)
        return [self.ensemble(
                    logits, scores.logits, vocabulary.seen_in(training), scores.valid, **shares)
                for logits, scores, vocabulary in images]

    def segment(
        self, scores: Scores, batch_data_samples: SampleList, threshold: float | None = None,
        **shares: float,
    ) -> list[SegmentMap]:
        """Make segments of masks and scores; of any number of classes.

        Args:
            scores (Scores): Of :meth:`score`.
            batch_data_samples (SampleList): The samples that they are of.
            threshold (float, optional): Score that a mask must exceed, in place of
                ``test_cfg.object_mask_thr``.
            **shares (float): As in :meth:`fuse`.

        Returns:
            list[SegmentMap]: Per image, of its original size.
        """
        images = zip(
            self.fuse(scores, **shares), scores.predictions.masks,
            (sample.metainfo for sample in batch_data_samples), scores.vocabularies, strict=True)
        return [self.panoptic_fusion_head.segment(*image, threshold=threshold)
                for image in images]

    def make_results(
        self, scores: Scores, batch_data_samples: SampleList, rescale: bool = True
    ) -> SampleList:
        """Make panoptic, instance and semantic results of masks and scores.

        Args:
            scores (Scores): Of :meth:`predict_scores`.
            batch_data_samples (SampleList): The samples they are of; get the results.
            rescale (bool): Whether results are of the original size. Defaults to True.
        """
        results = self.panoptic_fusion_head.predict(
            self.fuse(scores), scores.predictions.masks, batch_data_samples, scores.vocabularies,
            rescale=rescale)
        self._announce(scores.vocabularies)
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


def _shares(classifier: ConfigType, ensemble: ConfigType) -> dict[str, float]:
    """Alpha and beta of the ensemble that a classifier's config gives; a conflict is reported."""
    shares = {name: classifier[name] for name in ('alpha', 'beta')
              if classifier.get(name) is not None}
    for name, share in shares.items():
        if ensemble.get(name, share) != share:
            print_log(
                f'model.classifier.{name}={share} counts, and model.ensemble.{name}='
                f'{ensemble[name]} does not. To set it at the ensemble, leave it out of the '
                'classifier.', 'current', logging.WARNING)
    return shares
