"""What the page about speed and quality says beside its figures."""

INTRODUCTION = """\
# Speed against quality

*Written by `python tools/analysis_tools/compare_speed.py`; not by hand.*

What makes a model faster and changes what it finds, each switch alone. All are off by default.

## On the embedded data set

One trained model, `mmodise://shapes/odise.pth`, trained in float32 without any of them.
Pictures are of 128 x 128 pixels, which is one window. PQ in percent, of all validation pictures;
*base* classes are annotated in the training, *novel* ones never. Times are of one picture after
another, all lines alternately in one run, medians. *MB*: the most that is held at once beside the
weights.

ResNet-18 and FC-CLIP are other models, each trained on its own: their PQ is of the table of recipes
(`compare_claims --table recipes`), mean and standard deviation over seeds. *Trained anew* is the
first line's recipe in that table: compare it with them. FC-CLIP's pictures are enlarged to 256 x
256. A small network gains little where a large one gains much: most of its time
goes into the many small steps. For what a switch saves, see [At full size](#at-full-size).

Date: {date}. Machine: {machine}."""

FOUR_WINDOWS = """\
The same pictures as four windows of 64 x 64, each enlarged to the generator's 128 x 128;
{model}."""
TRAINED = 'the model was trained so'
NOT_TRAINED = """\
the model was trained with one window, *shrunk to half*, and is bad at others: what a switch changes
here is a hint, no more"""

NOTES = """\
A line leads through the models that none is both faster and better than.

## The switches

- **bfloat16**: `model.backbone.extractor.dtype='bfloat16'`, and `precision='bf16'` in each `clip`.
- **int8**: `model.backbone.extractor.dtype='int8'`, and `precision='int8'` in each `clip`. Linear
  layers and convolutions multiply in int8 with oneDNN's operators in torch; weights have a scale
  per output, inputs one per image, found as they come. CPU only; no gradients, so that a captioner
  cannot be trained through it. Not in int8: the projections of CLIP's attention (two thirds of
  its products are in int8), attention's own products, convolutions in groups, layers with less
  than 16 inputs. torchao 0.18 was tried: it has no convolutions, and without `torch.compile` its
  linear layers took hardly less time than float32's on this CPU. torch's own `quantize_dynamic`
  has linear layers only, and is to be removed.
- **Merged tokens**: `model.backbone.extractor.merge_tokens=0.5` and `merge_levels=1` (Token Merging
  for Stable Diffusion, Bolya and Hoffman 2023): in the self-attention of the UNet's largest maps
  tokens that are alike become one, which counts as often as it stands for. Gradients pass. The
  package `tomesd` does not fit: it replaces the forward methods of diffusers' blocks as they were
  in 2023, draws other tokens in every call, and does not weigh merged ones.
- **Fewer masks**: `model.test_cfg.max_queries`: those least like "no object", judged by the classes
  of the training, are classified by CLIP and become results. The decoder has run by then: it takes
  a fiftieth of the time. To train with fewer, set `model.panoptic_head.num_queries`.
- **One caption**: `model.backbone.caption_whole_images=True`: the captioner's CLIP sees a picture
  once, squeezed into a square, and not each of its windows.
- **Larger windows**: `model.backbone.window_size` with `model.backbone.extractor.image_size`, which
  a UNet of Stable Diffusion takes as it is made of convolutions and attention; attention grows with
  the square of a window's pixels. Stable Diffusion 2.x for 768 pixels has an `image_size` of 768 by
  itself: set `window_size=768`. Refused are sides that are not a multiple of 64. Maps of
  probabilities of self-attention have a channel per cell, so that a head that was trained with
  others does not fit. Larger windows without a larger `image_size` are shrunk: the cheapest way,
  with maps of half the resolution."""

FULL = """\
## At full size

Stable Diffusion 1.x, CLIP ViT-L and ODISE's head, weights random: no time depends on them. One
call of each, in one run, 20 names known before; *again* tells how much the machine has changed
meanwhile. FC-CLIP is that with a ConvNeXt-L, and with a ResNet-50. Memory is the peak of the
process, with weights and libraries."""

ANSWER = """\
## Which model with a second per picture?

On the embedded data set, of the {lines} models here that take at most {budget} s: best in base
classes is {base}; in novel classes {novel}; in the mean of both {both}. Of 80 pictures, differences
of 1 between lines of the same model are chance."""
