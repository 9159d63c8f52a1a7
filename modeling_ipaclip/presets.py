"""Shapes of pronunciation towers by name, the same wherever a tower is made."""

# `small` is the shape of the embedded checkpoint's tower.
PRESETS: dict[str, dict[str, int]] = {
    "tiny": {"hidden_size": 128, "intermediate_size": 512, "num_hidden_layers": 2, "num_attention_heads": 2},
    "small": {"hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 3, "num_attention_heads": 4},
    "medium": {"hidden_size": 384, "intermediate_size": 1536, "num_hidden_layers": 6, "num_attention_heads": 6},
}
# The shape of the text tower that it stands beside, or learns from.
LIKE_TEXT_TOWER = "base"
PRESET_NAMES = (*PRESETS, LIKE_TEXT_TOWER)
