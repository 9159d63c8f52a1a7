"""Many one-sign spelling rules as one step of a tokenizer: sentencepiece's precompiled character map.

`tokenizers.normalizers.Precompiled` looks signs up in a trie, so hundreds of rules cost what a few of `Replace` do. The
map is a double-array trie over UTF-8 bytes (Aoe 1989, in the layout of darts-clone,
https://github.com/s-yata/darts-clone) and the pool of targets, each ended by a zero byte: four bytes with the trie's
size, the trie's units of four bytes, the pool; all little-endian.
"""

import struct
import unicodedata
from collections import deque
from collections.abc import Mapping
from itertools import count
from typing import Any

from tokenizers import Regex, normalizers

_HAS_LEAF = 1 << 8
_IS_LEAF = 1 << 31
_LONGEST = 5  # bytes of a grapheme that `Precompiled` looks up as a whole
_BREAK = "\u200b"


def charsmap(targets: Mapping[str, str]) -> bytes:
    """The map that turns each source (one code point, or a letter and its marks) into its target.

    Raises:
        ValueError: If a source is none of these or too long, or a target is empty: `Precompiled` does not look it up,
            or gives wrong offsets.
    """
    pool = bytearray()
    root: dict[int, Any] = {}
    for source, target in targets.items():
        marked = all(map(unicodedata.combining, source[1:])) and len(source.encode()) <= _LONGEST
        if not (len(source) == 1 or marked) or not target:
            raise ValueError(f"A character map turns one sign into some; {source!r} → {target!r} does not.")
        node = root
        for byte in source.encode():
            node = node.setdefault(byte, {})
        node[0] = len(pool)  # the zero byte ends a key; its value is where the target stands in the pool
        pool += target.encode() + b"\0"
    units = _double_array(root)
    return struct.pack(f"<I{len(units)}I", 4 * len(units), *units) + bytes(pool)


def _double_array(root: dict[int, Any]) -> list[int]:
    """The trie's units. A node at `place` has its child for `byte` at `place ^ offset ^ byte`."""
    units = [0] * 256
    taken = {0}
    bases = {0}
    free = 1  # no place before it is
    nodes = deque([(root, 0)])
    while nodes:
        node, place = nodes.popleft()
        while free in taken:
            free += 1
        first = min(node)
        base = next(
            child ^ first
            for child in count(free)
            if child ^ first not in bases and not any(child ^ first ^ byte in taken for byte in node)
        )
        bases.add(base)
        units.extend([0] * ((base | 255) + 1 - len(units)))
        units[place] |= (place ^ base) << 10
        for byte, child in node.items():
            taken.add(base ^ byte)
            if byte == 0:
                units[place] |= _HAS_LEAF
                units[base] = _IS_LEAF | child
            else:
                units[base ^ byte] = byte
                nodes.append((child, base ^ byte))
    return units


def charsmap_steps(targets: Mapping[str, str]) -> list[normalizers.Normalizer]:
    """The normalizers that turn each source into its target wherever it stands, in text without U+200B.

    `Precompiled` reads a grapheme at a time and, where that begins with a source and is short, takes the source for the
    whole: it would lose the ring of `g̊`. So a grapheme is broken behind each source first.
    """
    ends = "".join(dict.fromkeys(source[-1] for source in targets))
    return [
        normalizers.Replace(Regex(rf"(?<=[{ends}])\Y"), _BREAK),
        normalizers.Precompiled(charsmap(targets)),
        normalizers.Replace(_BREAK, ""),
    ]
