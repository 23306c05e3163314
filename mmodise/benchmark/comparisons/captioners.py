"""What the generator is told of a picture, on the embedded data set."""

from ..comparison import BASELINE, FIGURES, RECIPE, Claim, Comparison

_CONFIG = 'captioners/odise_sd-small-{}_shapes-panoptic.py'
#: The lines of the table: config and what it is.
LINES = {
    BASELINE: (RECIPE[0], 'implicit captioner (recipe)'),
    'none': ('claims/odise_sd-small-empty-caption_shapes-panoptic.py', 'empty caption'),
    'given': (_CONFIG.format('given-caption'), 'given caption'),
    'prompt': (_CONFIG.format('learned-prompt'), 'learned prompt'),
    'captioner': (_CONFIG.format('captioner'), 'off-the-shelf captioner'),
    'data-set': (_CONFIG.format('data-set-caption'), "the data set's captions"),
}
CLAIMS = (
    Claim('Without the picture',
          'the implicit captioner does better than the empty caption: ADE20K PQ 23.3 against 21.8, '
          'COCO 44.2 against 43.5 (Table 4).', ('none', 'given', 'prompt'),
          'The given caption, "a picture of balls, boxes, stars and rings", is the same for every '
          'picture, and so is the learned prompt, which can learn as much of the data set as the '
          'implicit captioner and nothing of the picture.'),
    Claim('Captions in words',
          'compares with captions in words of an off-the-shelf captioner, too.',
          ('captioner', 'data-set'),
          'The off-the-shelf captioner is a small one that was trained on drawn pictures of all '
          "classes, as the small CLIP was. The data set's captions name every class in the "
          'picture, novel ones too, and are given in testing as well: no model that has to look '
          'could know as much.'),
)

INTRODUCTION = """# Captioners on the embedded data set

*Written by `python tools/analysis_tools/compare_claims.py --table captioners`; not by hand.*

What does the generator have to be told of a picture for its features to be good? Each line of the
table is one config, trained on the embedded data set from {seeds} random seeds and evaluated on its
validation images. *Recipe* is `configs/odise/odise_sd-small_shapes-panoptic.py`, with the implicit
captioner. Every other line has another captioner, see [configs/captioners](../configs/captioners).
*Base* classes are annotated in the training, *novel* ones never.

""" + FIGURES

COMPARISON = Comparison(
    'captioners', LINES, CLAIMS, INTRODUCTION, borrows=('claims', ))
