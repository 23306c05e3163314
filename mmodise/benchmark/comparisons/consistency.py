"""What the consistency of predictions is worth, on the embedded data set."""

from ..comparison import BASELINE, FIGURES, RECIPE, Claim, Comparison

_CONFIG = 'consistency/odise_sd-small-consistency-{}_shapes-panoptic.py'
#: The lines of the table: config and what it is.
LINES = {
    BASELINE: RECIPE,
    'layers': (_CONFIG.format('layers'), 'decoder layers'),
    'scales': (_CONFIG.format('scales'), 'two sizes'),
    'flip': (_CONFIG.format('flip'), 'mirrored'),
    'clip': (_CONFIG.format('clip'), 'CLIP'),
    'embedding': (_CONFIG.format('embedding'), 'mask embedding'),
    'all': (_CONFIG.format('all'), 'all terms'),
}
CLAIMS = (
    Claim('Across scales', '', ('layers', 'scales', 'flip'),
          'Of one matched object, masks and class distributions agree: those of all decoder layers '
          'with the last; those of the picture with its half-size copy; with its mirror image.',
          reverse=True),
    Claim('Across modalities', '', ('clip', 'embedding'),
          "The head's class distribution agrees with the one of CLIP's embedding of the same mask; "
          'the mask embedding under the predicted mask with that under its true mask.',
          reverse=True),
    Claim('All at once', '', ('all', ), 'The view is half as large and mirrored.', reverse=True),
)

INTRODUCTION = """# Consistency on the embedded data set

*Written by `python tools/analysis_tools/compare_claims.py --table consistency`; not by hand.*

Is a model better that was taught to agree with itself? Each line of the table is one config,
trained on the embedded data set from {seeds} random seeds and evaluated on its validation images.
*Recipe* is `configs/odise/odise_sd-small_shapes-panoptic.py`, without `ConsistencyLoss`. Every
other line adds one term of it, with a weight of 1, or all of them, see
[configs/consistency](../configs/consistency). *Base* classes are annotated in the training, *novel*
ones never.

""" + FIGURES

COMPARISON = Comparison(
    'consistency', LINES, CLAIMS, INTRODUCTION, a_claim='A gain', borrows=('claims', ))
