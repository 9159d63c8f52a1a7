"""Into IPA-CLIP, from CLIP checkpoints."""

from .convert_clip_to_ipaclip import convert_clip_to_ipaclip

__all__ = ["convert_clip_to_ipaclip"]
