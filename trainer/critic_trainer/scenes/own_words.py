"""Critiques beside the MOS, where a dataset of people's would have theirs: templates over what was drawn.

No person wrote them. They tell what the generator did (the change, and only those damages and defects that there are),
so they are right where a teacher who looks at pixels may err. The stand-in teacher says all parts in one order, under
labels, and closes with levels of the ratings; these have no labels, leave out what is fine, and know no ratings.
"""

import numpy as np

from .edits import Edit
from .language import VERDICTS, describe_change, describe_damage, describe_defect

ABOUT = "templates over what was drawn (own_words.py): no person wrote them; train split only"
PICTURE_FIRST = 0.3  # share of critiques that begin with what is spoiled


def own_critique(edit: Edit, rng: np.random.Generator) -> str:
    """One to three sentences on an edit. `rng` draws their order. No digit."""
    change = f"{describe_change(edit.change)}, {VERDICTS[edit.level]}"
    spoiled = [
        *([] if edit.damage == "none" else [describe_damage(edit.damage, edit.damage_severity)]),
        *([] if edit.defect == "none" else [describe_defect(edit.defect, edit.defect_severity)]),
    ]
    parts = [*spoiled, change] if rng.random() < PICTURE_FIRST else [change, *spoiled]
    return " ".join(parts)
