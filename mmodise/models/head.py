"""Mask2Former's head with mask embeddings in place of a fixed classifier."""

from functools import partial

import torch
from mmdet.models.dense_heads import Mask2FormerHead
from mmdet.registry import MODELS
from mmdet.structures import SampleList
from mmdet.utils import ConfigType, InstanceList
from mmengine.config import ConfigDict
from torch import Tensor, nn

from ..spelling import refuse_misspelt
from ..vocabulary import Vocabulary
from .mask_embedding import MaskEmbedding
from .text_similarity import class_scores


@MODELS.register_module()
class ODISEHead(Mask2FormerHead):
    """Masks, and for each mask an embedding that is compared with the names of classes.

    Label supervision (paper, 3.3): the logits are the similarities with the K classes of the
    training vocabulary and with a learned "no object" embedding.

    Args:
        clip (dict): Config of the :class:`FrozenCLIP` that embeds the names.
        vocabulary (dict): The training vocabulary, as a data set's metainfo: ``thing_classes`` and
            ``stuff_classes``, each class a string of names ('person, child') or a sequence of
            names. In the order of the training data set's labels.
        prompt (str): What a name is put into. Defaults to '{}', the bare name (official release,
            label supervision).
        no_object_weight (float): Weight of "no object" in the cross entropy. Defaults to 0.1.
        loss_cls (dict): The classification loss; its ``class_weight`` is made from
            ``no_object_weight``.
        **kwargs: As in :class:`mmdet.models.Mask2FormerHead`, without the numbers of classes.

    Raises:
        ValueError: If the vocabulary is not valid, or a key of ``train_cfg`` is misspelt.
    """

    def __init__(
        self,
        *args,
        clip: ConfigType,
        vocabulary: ConfigType,
        prompt: str = '{}',
        no_object_weight: float = 0.1,
        loss_cls: ConfigType = dict(  # noqa: B006
            type='CrossEntropyLoss', use_sigmoid=False, loss_weight=2.0, reduction='mean'
        ),
        **kwargs,
    ) -> None:
        refuse_misspelt('train_cfg', kwargs.get('train_cfg') or (), (
            'assigner', 'sampler', 'num_points', 'oversample_ratio', 'importance_sample_ratio'))
        training = Vocabulary.from_metainfo(vocabulary)
        weights = [1.0] * len(training) + [no_object_weight]
        super().__init__(
            *args,
            num_things_classes=training.num_things,
            num_stuff_classes=training.num_stuff,
            loss_cls=ConfigDict({**loss_cls, 'class_weight': weights}),
            **kwargs,
        )
        self.vocabulary = training
        self.prompt = prompt
        self.cls_embed = nn.Identity()  # the query itself: classification needs the mask as well
        self.mask_embedding = MaskEmbedding(self.decoder_embed_dims)
        self.clip = MODELS.build(clip)
        self.text_proj = nn.Linear(self.clip.embed_dim, self.decoder_embed_dims)
        # "no object" starts as CLIP's embedding of nothing (official release)
        self.no_object = nn.Parameter(self.clip.encode_texts(['']).clone())

    def _forward_head(
        self, decoder_out: Tensor, mask_feature: Tensor, attn_mask_target_size: tuple[int, int]
    ) -> tuple:
        """As the parent's, with a promise of mask embeddings in place of class scores.

        In testing only the last layer's embeddings are read, so only they are computed.
        """
        queries, mask_pred, attn_mask = super()._forward_head(
            decoder_out, mask_feature, attn_mask_target_size
        )
        embed = partial(self.mask_embedding, queries, mask_pred, mask_feature)
        return embed, mask_pred, attn_mask

    def classify(self, embeddings: Tensor, vocabulary: Vocabulary) -> Tensor:
        """Class logits of mask embeddings.

        Args:
            embeddings (Tensor): Mask embeddings, (..., Q, C).
            vocabulary (Vocabulary): K classes.

        Returns:
            Tensor: (..., Q, K + 1), "no object" last.
        """
        texts = self.clip.encode_texts([self.prompt.format(name) for name in vocabulary.names])
        names = self.text_proj(torch.cat([texts.to(self.no_object.dtype), self.no_object]))
        # "no object" is one more class with one name
        indices = torch.tensor([*vocabulary.class_indices, len(vocabulary)], device=names.device)
        return class_scores(embeddings, names, indices, self.mask_embedding.scale)

    def forward(
        self, x: tuple[Tensor, ...], batch_data_samples: SampleList
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Predictions of all layers for the training vocabulary.

        Args:
            x (tuple[Tensor, ...]): Maps of the backbone, strides 4, 8, 16, 32.
            batch_data_samples (SampleList): Not read.

        Returns:
            tuple: Class logits, each (B, Q, K + 1), and mask logits, each (B, Q, H / 4, W / 4), of
            the initial queries and after every layer.
        """
        promises, masks = super().forward(x, batch_data_samples)
        return [self.classify(embed(), self.vocabulary) for embed in promises], masks

    def loss_by_feat(
        self,
        all_cls_scores: list[Tensor],
        all_mask_preds: list[Tensor],
        batch_gt_instances: InstanceList,
        batch_img_metas: list[dict],
    ) -> dict[str, Tensor]:
        """As the parent's, in float32: half-precision matching costs overflow.

        Raises:
            ValueError: If a label is not one of the training vocabulary's.
        """
        largest = max(
            (int(gt.labels.max()) for gt in batch_gt_instances if len(gt.labels)), default=-1
        )
        if largest >= len(self.vocabulary):
            raise ValueError(
                f'ODISEHead: the data set has a label {largest}, the training vocabulary '
                f'{len(self.vocabulary)} classes (labels 0 to {len(self.vocabulary) - 1}). Give '
                "panoptic_head.vocabulary the data set's thing_classes and stuff_classes, in the "
                'order of its labels.'
            )
        with torch.autocast(all_mask_preds[0].device.type, enabled=False):
            return super().loss_by_feat(
                [scores.float() for scores in all_cls_scores],
                [masks.float() for masks in all_mask_preds],
                batch_gt_instances,
                batch_img_metas,
            )

    def predict(
        self, x: tuple[Tensor, ...], batch_data_samples: SampleList, vocabularies: list[Vocabulary]
    ) -> tuple[list[Tensor], Tensor]:
        """Predictions of the last layer, each image with its own vocabulary.

        Args:
            x (tuple[Tensor, ...]): Maps of the backbone, strides 4, 8, 16, 32.
            batch_data_samples (SampleList): Not read.
            vocabularies (list[Vocabulary]): One an image.

        Returns:
            tuple: Class logits, an image each, (Q, K + 1) with the K of its vocabulary, and mask
            logits (B, Q, H / 4, W / 4).
        """
        promises, masks = super().forward(x, batch_data_samples)
        embeddings = promises[-1]()
        logits = [self.classify(e, v) for e, v in zip(embeddings, vocabularies, strict=True)]
        return logits, masks[-1]
