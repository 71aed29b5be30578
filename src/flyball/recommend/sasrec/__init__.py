"""SASRec: what a user comes to next, by self-attention over what they came to before.

PyTorch trains it (extra ``torch``); NumPy answers. Importing this package imports neither torch nor
safetensors: ``fit`` and ``load`` do.
"""

from flyball.recommend.sasrec.config import SasRecConfig
from flyball.recommend.sasrec.model import SasRec

__all__ = ["SasRec", "SasRecConfig"]
