"""Pictures asked by how their names sound: galleries of picture embeddings, and the search over one.

Importing this package needs neither torch nor transformers; `PictureSearch.from_checkpoint` does.
"""

from .gallery import Gallery, GalleryEntry, Hit
from .picture_search import PictureSearch, local_checkpoint
from .scoring import Score, Witness

__all__ = ["Gallery", "GalleryEntry", "Hit", "PictureSearch", "Score", "Witness", "local_checkpoint"]
