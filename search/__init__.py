"""Pictures asked by how their names sound: galleries of picture embeddings, and the search over one.

Importing this package needs neither torch nor transformers; `PictureSearch.from_checkpoint` does.
"""

from .gallery import Gallery, GalleryEntry, Hit
from .picture_search import PictureSearch, local_checkpoint

__all__ = ["Gallery", "GalleryEntry", "Hit", "PictureSearch", "local_checkpoint"]
