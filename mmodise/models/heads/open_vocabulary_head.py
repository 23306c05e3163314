"""Mask2Former's head with an embedding per mask, to be compared with text."""

from abc import abstractmethod
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmdet.models.dense_heads import Mask2FormerHead
from mmdet.models.utils import multi_apply, unpack_gt_instances
from mmdet.registry import MODELS
from mmdet.structures import SampleList
from mmdet.utils import ConfigType, InstanceList
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData, PixelData
from torch import Tensor, nn

from ...utils.spelling import refuse_misspelt
from ...vocabulary import Vocabulary
from ..clip import FrozenCLIP, Prompt, fill_prompt, read_prompt
from ..text_similarity import class_scores
from .layer_output import LayerOutput
from .mask_embedding import MaskEmbedding
from .mask_source import MaskPredictions, MaskSource, MaskTargets
from .true_masks import check_labels


class OpenVocabularyHead(MaskSource, Mask2FormerHead):
    """What the heads of label and of caption supervision have in common.

    Training and testing both start from :meth:`layers`. A subclass adds a loss by overriding
    :meth:`loss_by_layer`, where predictions have names.

    Args:
        clip (dict): Config of the :class:`FrozenCLIP` that embeds texts.
        vocabulary (Vocabulary): The training vocabulary.
        num_labels (int): Labels that the losses tell apart, without "no object".
        prompt (str | Sequence[str]): What a name is put into: a template, several whose embeddings
            are averaged, or the name of a list, see :func:`read_prompt`. A head is tested with
            what it was trained with: averages have length 1, embeddings of one template have not.
        no_object_weight (float): Weight of "no object" in the cross entropy. Defaults to 0.1.
        ignore_unannotated (bool): Whether a mask that nothing matches, and that lies mostly on
            pixels without annotation, is left out of the cross entropy, where it would be taught to
            be "no object". For data in which only some classes are annotated. Defaults to False.
        loss_cls (dict): The classification loss; its ``class_weight`` is made from
            ``no_object_weight``.
        **kwargs: As in :class:`mmdet.models.Mask2FormerHead`, without the numbers of classes.

    Raises:
        ValueError: If a key of ``train_cfg`` is misspelt, ``prompt`` is no template, or
            ``test_cfg.max_queries`` no number.
    """

    def __init__(
        self,
        *args,
        clip: ConfigType,
        vocabulary: Vocabulary,
        num_labels: int,
        prompt: str | Sequence[str],
        no_object_weight: float = 0.1,
        ignore_unannotated: bool = False,
        loss_cls: ConfigType = dict(  # noqa: B006
            type='WholeBatchCrossEntropyLoss', loss_weight=2.0
        ),
        **kwargs,
    ) -> None:
        refuse_misspelt('train_cfg', kwargs.get('train_cfg') or (), (
            'assigner', 'sampler', 'num_points', 'oversample_ratio', 'importance_sample_ratio'))
        weights = [1.0] * num_labels + [no_object_weight]
        super().__init__(
            *args,
            num_things_classes=vocabulary.num_things,
            num_stuff_classes=vocabulary.num_stuff,
            loss_cls=ConfigDict({**loss_cls, 'class_weight': weights}),
            **kwargs,
        )
        self.num_classes = num_labels
        #: Channels of the maps that it is given.
        self.in_channels: Sequence[int] = kwargs.get('in_channels', args[0] if args else ())
        self.ignore_unannotated = ignore_unannotated
        #: Masks that are kept of an image in testing; None for all.
        self.max_queries = _read_max_queries(kwargs.get('test_cfg') or {})
        self.vocabulary = vocabulary
        self.prompt: Prompt = read_prompt(prompt)
        self.mask_embedding = MaskEmbedding(self.decoder_embed_dims)
        self.clip = MODELS.build(clip)
        self.text_proj = nn.Linear(self.clip.embed_dim, self.decoder_embed_dims)

    def layers(self, x: tuple[Tensor, ...]) -> list[LayerOutput]:
        """Predict with the initial queries and after every decoder layer.

        Args:
            x (tuple[Tensor, ...]): Maps of the backbone, strides 4, 8, 16, 32.
        """
        layers, _ = super().forward(x, [])
        return layers

    def _forward_head(
        self, decoder_out: Tensor, mask_feature: Tensor, attn_mask_target_size: tuple[int, int]
    ) -> tuple:
        """As the parent's, with a :class:`LayerOutput` in place of class scores."""
        scores, masks, attn_mask = super()._forward_head(
            decoder_out, mask_feature, attn_mask_target_size
        )
        queries = self.transformer_decoder.post_norm(decoder_out)  # not returned by the parent
        layer = LayerOutput(queries, masks, scores, mask_feature, self.mask_embedding)
        return layer, masks, attn_mask

    def forward(
        self, x: tuple[Tensor, ...], batch_data_samples: SampleList
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Predict as mmdet's head does.

        Args:
            x (tuple[Tensor, ...]): Maps of the backbone, strides 4, 8, 16, 32.
            batch_data_samples (SampleList): Not read.

        Returns:
            tuple: What :meth:`label_logits` gives, and mask logits, each (B, Q, H / 4, W / 4), of
            the initial queries and after every layer.
        """
        layers = self.layers(x)
        return self.label_logits(layers), [layer.masks for layer in layers]

    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        """Embed names or words, each put into the prompt, to compare masks with: (N, C)."""
        texts = self.clip.encode_texts([fill_prompt(self.prompt, text) for text in texts])
        return self.text_proj(texts.to(self.mask_embedding.log_scale.dtype))

    def class_logits(self, embeddings: Tensor, vocabulary: Vocabulary, *more: Tensor) -> Tensor:
        """Similarities of masks and classes.

        Args:
            embeddings (Tensor): Mask embeddings, (..., Q, C).
            vocabulary (Vocabulary): K classes.
            *more (Tensor): Embeddings (1, C) of M classes more, of one name each.

        Returns:
            Tensor: (..., Q, K + M).
        """
        names = torch.cat([self.embed_texts(vocabulary.names), *more])
        num_classes = len(vocabulary)
        indices = [*vocabulary.class_indices, *range(num_classes, num_classes + len(more))]
        return class_scores(embeddings, names, indices, self.mask_embedding.scale)

    @abstractmethod
    def classify(self, embeddings: Tensor, vocabulary: Vocabulary, scores: Tensor) -> Tensor:
        """Class logits of masks.

        Args:
            embeddings (Tensor): Mask embeddings, (..., Q, C).
            vocabulary (Vocabulary): K classes.
            scores (Tensor): Of ``cls_embed``, (..., Q, ...).

        Returns:
            Tensor: (..., Q, K + 1), "no object" last.
        """

    @abstractmethod
    def label_logits(self, layers: Sequence[LayerOutput]) -> list[Tensor]:
        """Logits of the labels that the losses tell apart, "no object" last, of every layer.

        Args:
            layers (Sequence[LayerOutput]): Of :meth:`layers`.

        Returns:
            list[Tensor]: Each (B, Q, num_labels + 1).
        """

    def find(self, x: tuple[Tensor, ...], batch_data_samples: SampleList) -> MaskPredictions:
        """Find masks with the last layer.

        With ``test_cfg.max_queries`` only so many of an image are kept: those with the largest
        probability of being one of the training's classes rather than "no object", which costs
        objects of other classes.

        Args:
            x (tuple[Tensor, ...]): Maps of the backbone, strides 4, 8, 16, 32.
            batch_data_samples (SampleList): Not read.
        """
        last = self.layers(x)[-1]
        if self.max_queries is not None and self.max_queries < last.masks.shape[1]:
            last = self._best(last, self.max_queries)
        return MaskPredictions(last.masks, embeddings=last.embeddings, scores=last.scores)

    def _best(self, layer: LayerOutput, number: int) -> LayerOutput:
        """The queries of a layer that are least like "no object" beside the training's classes."""
        logits, = self.label_logits([layer])
        objectness = 1 - logits.softmax(dim=-1)[..., -1]  # (B, Q)
        return layer.select(objectness.topk(number, dim=1).indices.sort(dim=1).values)

    def name(self, found: MaskPredictions, vocabularies: list[Vocabulary]) -> MaskPredictions:
        """Add in-vocabulary scores, each image with its own vocabulary; see :meth:`classify`."""
        images = zip(found.embeddings, vocabularies, found.scores, strict=True)
        return found._replace(in_vocabulary=[self.classify(*image) for image in images])

    def name_encoders(self) -> list[tuple[FrozenCLIP, Prompt]]:
        """CLIP and the prompt."""
        return [(self.clip, self.prompt)]

    def loss(self, x: tuple[Tensor, ...], batch_data_samples: SampleList) -> dict[str, Tensor]:
        """Compute the losses of all layers.

        Args:
            x (tuple[Tensor, ...]): Maps of the backbone, strides 4, 8, 16, 32.
            batch_data_samples (SampleList): With true masks and labels.
        """
        return self.loss_by_layer(self.layers(x), *self.unpack_gt(batch_data_samples))

    def loss_and_targets(
        self, x: tuple[Tensor, ...], batch_data_samples: SampleList
    ) -> tuple[dict[str, Tensor], MaskTargets]:
        """As :meth:`loss`, and the last layer's masks matched with the true ones."""
        layers, (instances, metas) = self.layers(x), self.unpack_gt(batch_data_samples)
        losses, last = self.loss_by_layer(layers, instances, metas), layers[-1]
        return losses, MaskTargets(
            self.vocabulary, instances, MaskPredictions(last.masks, embeddings=last.embeddings),
            self.match(last, instances, metas), layers)

    def loss_by_layer(
        self,
        layers: Sequence[LayerOutput],
        batch_gt_instances: InstanceList,
        batch_img_metas: list[dict],
    ) -> dict[str, Tensor]:
        """Compute mmdet's losses of labels and masks; a subclass adds its own.

        Args:
            layers (Sequence[LayerOutput]): Of :meth:`layers`.
            batch_gt_instances (InstanceList): True masks, see :meth:`unpack_gt`.
            batch_img_metas (list[dict]): Metainfo of the samples.

        Returns:
            dict[str, Tensor]: Scalars; of all layers but the last, their names begin with 'd0.',
            'd1.' and so on.
        """
        return self.loss_by_feat(
            self.label_logits(layers), [layer.masks for layer in layers],
            batch_gt_instances, batch_img_metas)

    def unpack_gt(self, batch_data_samples: SampleList) -> tuple[InstanceList, list[dict]]:
        """True masks, things and stuff in one with their labels, and the metainfo of samples."""
        instances, _, metas = unpack_gt_instances(batch_data_samples)
        semantic = [sample.get('gt_sem_seg') for sample in batch_data_samples]
        return self.preprocess_gt(instances, semantic), metas

    @torch.no_grad()
    def match(
        self, layer: LayerOutput, batch_gt_instances: InstanceList, batch_img_metas: list[dict],
        masks: Tensor | None = None,
    ) -> list[Tensor]:
        """Match the queries of a layer with true masks, at random points of its own.

        Args:
            layer (LayerOutput): One of :meth:`layers`.
            batch_gt_instances (InstanceList): True masks, see :meth:`unpack_gt`.
            batch_img_metas (list[dict]): Metainfo of the samples.
            masks (Tensor, optional): Mask logits in place of the layer's, where it has seen the
                pictures otherwise than the true masks are. Defaults to None.

        Returns:
            list[Tensor]: Per image the index of the true mask of each query, int64 (Q,), -1 where
            there is none.
        """
        logits, = self.label_logits([layer])
        masks = layer.masks if masks is None else masks
        with torch.autocast(masks.device.type, enabled=False):
            *_, queries, _, sampled = multi_apply(
                self._get_targets_single, logits.float(), masks.float(),
                batch_gt_instances, batch_img_metas)
        return [
            indices.new_full((self.num_queries, ), -1).index_copy(
                0, indices, result.pos_assigned_gt_inds)
            for indices, result in zip(queries, sampled, strict=True)
        ]

    def preprocess_gt(
        self,
        batch_gt_instances: InstanceList,
        batch_gt_semantic_segs: list[PixelData | None],
    ) -> InstanceList:
        """As the parent's: masks and labels of things and stuff in one.

        Raises:
            ValueError: If a label is not one of the training vocabulary's.
        """
        instances = super().preprocess_gt(batch_gt_instances, batch_gt_semantic_segs)
        check_labels(instances, self.vocabulary, type(self).__name__)
        return instances

    @torch.no_grad()
    def get_targets(self, *args, **kwargs) -> tuple:
        """As the parent's, which keeps what a gradient of the matching costs would need."""
        return super().get_targets(*args, **kwargs)

    def _get_targets_single(
        self, cls_score: Tensor, mask_pred: Tensor, gt_instances: InstanceData, img_meta: dict
    ) -> tuple:
        """As the parent's; labels of masks on unannotated pixels may have no weight."""
        labels, weights, *rest = super()._get_targets_single(
            cls_score, mask_pred, gt_instances, img_meta)
        if self.ignore_unannotated:
            is_unmatched = labels == self.num_classes
            weights = weights.masked_fill(
                is_unmatched & _mostly_unannotated(mask_pred, gt_instances.masks), 0)
        return labels, weights, *rest

    def loss_by_feat(
        self,
        all_cls_scores: list[Tensor],
        all_mask_preds: list[Tensor],
        batch_gt_instances: InstanceList,
        batch_img_metas: list[dict],
    ) -> dict[str, Tensor]:
        """As the parent's, in float32: half-precision matching costs overflow."""
        with torch.autocast(all_mask_preds[0].device.type, enabled=False):
            return super().loss_by_feat(
                [scores.float() for scores in all_cls_scores],
                [masks.float() for masks in all_mask_preds],
                batch_gt_instances,
                batch_img_metas,
            )


def _read_max_queries(test_cfg: ConfigType) -> int | None:
    number = test_cfg.get('max_queries')
    if number is not None and not (isinstance(number, int) and number >= 1):
        raise ValueError(
            f'model.test_cfg.max_queries={number!r}; give the number of masks that are kept of an '
            'image, 1 or more, or None for all')
    return number


def _mostly_unannotated(mask_pred: Tensor, true_masks: Tensor) -> Tensor:
    """Which masks (Q, h, w) have more pixels outside of all true masks (N, H, W) than inside."""
    annotated = true_masks.any(dim=0).to(mask_pred.dtype)
    annotated = F.adaptive_avg_pool2d(annotated[None], mask_pred.shape[-2:])
    inside = (mask_pred > 0).to(mask_pred.dtype)
    return (inside * (0.5 - annotated)).sum(dim=(-2, -1)) > 0
