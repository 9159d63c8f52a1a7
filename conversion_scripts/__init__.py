"""Into IPA-CLIP, from CLIP checkpoints, and out of it: ONNX, single towers, the Hub."""

from .comparison import verdict
from .convert_clip_to_ipaclip import NewTower, convert_clip_to_ipaclip
from .convert_original_clip import convert_original_clip
from .export_onnx import TowerReport, export_onnx, to_markdown
from .merge_split import merge, split
from .push_to_hub import push

__all__ = [
    "NewTower",
    "TowerReport",
    "convert_clip_to_ipaclip",
    "convert_original_clip",
    "export_onnx",
    "merge",
    "push",
    "split",
    "to_markdown",
    "verdict",
]
