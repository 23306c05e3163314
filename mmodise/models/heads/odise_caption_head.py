"""The head of caption supervision."""

from collections.abc import Sequence
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmdet.utils import ConfigType, InstanceList
from mmengine.structures import InstanceData, PixelData
from torch import Tensor, nn

from ...vocabulary import Vocabulary
from .layer_output import LayerOutput
from .open_vocabulary_head import OpenVocabularyHead


@MODELS.register_module()
class ODISECaptionHead(OpenVocabularyHead):
    """Masks of objects, and for each mask an embedding that is compared with words.

    Caption supervision (paper): masks are learned without classes, as objects or none; what they
    are called is learned from the words of captions, by :class:`GroundingLoss`. A sample to train
    on carries words of its caption in its metainfo:

    - ``words``, a sequence of strings, such as 8 noun phrases drawn from a caption; an empty one
      where there are none.
    - ``word_boxes``, of each word the boxes of what it names, each left, top, right and bottom in
      pixels of the image; none where it is not known. Optional; read if ``loss_grounding`` has a
      ``box_weight``.
    - ``has_masks``, False for an image without annotated masks (its annotations are empty ones):
      only its words count. Optional, defaults to True.

    Args:
        clip (dict): Config of the :class:`FrozenCLIP` that embeds words and names.
        vocabulary (dict): As in :class:`ODISEHead`. No loss looks at classes; the vocabulary tells
            the data set's things from its stuff, counts as seen in training, and is looked for in
            images that bring no classes.
        prompt (str | Sequence[str]): What a word or a name is put into, as in
            :class:`OpenVocabularyHead`. Defaults to 'a photo of a {}.' (official release, caption
            supervision).
        loss_grounding (dict): Defaults to a :class:`GroundingLoss`.
        **kwargs: As in :class:`OpenVocabularyHead`.

    Raises:
        ValueError: If the vocabulary is not valid, or a key of ``train_cfg`` is misspelt.
    """

    def __init__(
        self,
        *args,
        vocabulary: ConfigType,
        prompt: str | Sequence[str] = 'a photo of a {}.',
        loss_grounding: ConfigType = dict(type='GroundingLoss', loss_weight=1.0),  # noqa: B006
        **kwargs,
    ) -> None:
        super().__init__(
            *args,
            vocabulary=Vocabulary.from_metainfo(vocabulary),
            num_labels=1,
            prompt=prompt,
            **kwargs,
        )
        self.cls_embed = nn.Linear(self.decoder_embed_dims, 2)  # an object, or none
        self.loss_grounding = MODELS.build(loss_grounding)

    def classify(self, embeddings: Tensor, vocabulary: Vocabulary, scores: Tensor) -> Tensor:
        """Class logits of masks, which are logarithms of probabilities.

        Args:
            embeddings (Tensor): Mask embeddings, (..., Q, C).
            vocabulary (Vocabulary): K classes.
            scores (Tensor): Logits of being an object and of being none, (..., Q, 2).

        Returns:
            Tensor: (..., Q, K + 1), "no object" last.
        """
        classes = F.log_softmax(self.class_logits(embeddings, vocabulary).float(), dim=-1)
        is_object, is_none = F.log_softmax(scores.float(), dim=-1).split(1, dim=-1)
        return torch.cat([classes + is_object, is_none], dim=-1)

    def label_logits(self, layers: Sequence[LayerOutput]) -> list[Tensor]:
        """Logits of being an object and of being none, each (B, Q, 2)."""
        return [layer.scores for layer in layers]

    def preprocess_gt(
        self,
        batch_gt_instances: InstanceList,
        batch_gt_semantic_segs: list[PixelData | None],
    ) -> InstanceList:
        """As the parent's, and all masks have the same label: an object."""
        instances = super().preprocess_gt(batch_gt_instances, batch_gt_semantic_segs)
        for gt in instances:
            gt.labels = torch.zeros_like(gt.labels)
        return instances

    def loss_by_layer(
        self,
        layers: Sequence[LayerOutput],
        batch_gt_instances: InstanceList,
        batch_img_metas: list[dict],
    ) -> dict[str, Tensor]:
        """The parent's losses of objects and masks, and ``loss_grounding`` of every layer.

        Args:
            layers (Sequence[LayerOutput]): Of :meth:`layers`.
            batch_gt_instances (InstanceList): Masks, of label 0.
            batch_img_metas (list[dict]): With ``words``, and with ``word_boxes`` and ``has_masks``
                or without.

        Raises:
            ValueError: If an image brings no ``words``, or something else than strings; or
                ``word_boxes`` that are no boxes of its words.
        """
        words = [_words(meta) for meta in batch_img_metas]
        candidates = self.loss_grounding.candidates(
            [layer.masks for layer in layers], [_word_boxes(meta) for meta in batch_img_metas],
            [meta['batch_input_shape'] for meta in batch_img_metas])
        losses = super().loss_by_layer(layers, batch_gt_instances, batch_img_metas)
        grounding = self.ground(
            torch.stack([layer.embeddings for layer in layers]), words, candidates)
        losses.update({f'd{i}.loss_grounding': loss for i, loss in enumerate(grounding[:-1])})
        return {**losses, 'loss_grounding': grounding[-1]}

    def _get_targets_single(
        self, cls_score: Tensor, mask_pred: Tensor, gt_instances: InstanceData, img_meta: dict
    ) -> tuple:
        """As the parent's; nothing counts of an image without annotated masks.

        It does not say that there are no objects in it.
        """
        if img_meta.get('has_masks', True):
            return super()._get_targets_single(cls_score, mask_pred, gt_instances, img_meta)
        labels = gt_instances.labels.new_full((self.num_queries, ), self.num_classes)
        weights, none = cls_score.new_zeros(self.num_queries), labels[:0]
        # what is read of a sampling result
        nothing = SimpleNamespace(avg_factor=0, pos_assigned_gt_inds=none)
        return labels, weights, gt_instances.masks, weights, none, none, nothing

    def ground(
        self,
        embeddings: Tensor,
        words: Sequence[Sequence[str]],
        candidates: Sequence[Tensor] | None = None,
    ) -> Tensor:
        """The grounding loss of every layer.

        Args:
            embeddings (Tensor): Mask embeddings, (layers, B, Q, C).
            words (Sequence[Sequence[str]]): Of each of the B images; an empty sequence where there
                are none.
            candidates (Sequence[Tensor], optional): Which masks the words of each image name, bool,
                (layers, Q, W_i), for an image without words W_i = 1. Defaults to None.

        Returns:
            Tensor: (layers,).
        """
        captions = [caption or ('', ) for caption in words]  # official: the empty word stands in
        embedded = self.embed_texts([word for caption in captions for word in caption])
        embedded = embedded.split([len(caption) for caption in captions])
        valid = [len(caption) > 0 for caption in words]
        return self.loss_grounding(
            embeddings, embedded, valid, self.mask_embedding.scale, candidates)


def _words(meta: dict) -> tuple[str, ...]:
    """What an image brings as its words."""
    words = meta.get('words')
    if isinstance(words, (list, tuple)) and all(isinstance(word, str) for word in words):
        return tuple(words)
    found = 'no words' if words is None else f'words={words!r}'
    raise ValueError(
        f'ODISECaptionHead: the image {meta.get("img_path") or "without a name"} brings {found}. '
        "Training needs each image's words, a sequence of strings, or an empty one where there "
        "are none: let the pipeline set results['words'], and list 'words' in the meta_keys of "
        'PackDetInputs.'
    )


def _word_boxes(meta: dict) -> Tensor:
    """The boxes of each word, (W, N, 4), nan where there are less; a row if there are no words."""
    words, boxes = _words(meta) or ('', ), meta.get('word_boxes') or ()
    if len(boxes) not in (0, len(words)) or not all(len(box) == 4 for of in boxes for box in of):
        raise ValueError(
            f'ODISECaptionHead: the image {meta.get("img_path") or "without a name"} brings '
            f'{len(words)} words and word_boxes={boxes!r}; expected for each word a sequence of '
            'boxes, of left, top, right and bottom.')
    found = torch.full((len(words), max(map(len, boxes), default=0) or 1, 4), torch.nan)
    for row, of_word in zip(found, boxes, strict=False):
        row[:len(of_word)] = torch.tensor(of_word).reshape(-1, 4)
    return found
