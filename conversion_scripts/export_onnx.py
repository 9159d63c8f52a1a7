"""Towers of an IPA-CLIP → ONNX, in fp32 and int8, compared with PyTorch."""

import logging
import timeit
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from ipaclip import IPAClipModel, IPAClipProcessor
from ipaclip.checkpoint_path import require_directory_or_name
from ipaclip.common.checkpoints import copy_files
from ipaclip.common.files import new_directory
from ipaclip.common.tables import markdown_table

from .comparison import TOLERANCE, relative_difference

logger = logging.getLogger(__name__)

TOWERS = ("pronunciation", "text", "image")

# Inputs that a tower meets in use, beside random ones. The texts are these words' spelling.
REAL_IPA = ("bˈʌɾɚflˌaɪ", "dˈɑːlfɪn", "kæt", "ˈɛlɪfənt", "ʌmbɹˈɛlə", "θɹˈiː lˈɪɾəl pˈɪɡz", "spɹˈɪŋ", "aɪ")
REAL_TEXTS = ("butterfly", "dolphin", "cat", "elephant", "umbrella", "three little pigs", "spring", "eye")


@dataclass(frozen=True)
class TowerReport:
    """How one file compares with PyTorch's tower in float32.

    Attributes:
        tower: "pronunciation", "text" or "image".
        runtime: "PyTorch fp32", "ONNX fp32" or "ONNX int8".
        size: Bytes on disk; of PyTorch, of the tower's weights.
        largest_difference: Largest absolute difference of embeddings to PyTorch's.
        relative_difference: The same, as a share of the largest value among PyTorch's embeddings of a batch.
        smallest_cosine: Smallest cosine similarity of an embedding with PyTorch's.
        latency_one, latency_batch: Median milliseconds for one real input, and for 32 on one thread.
    """

    tower: str
    runtime: str
    size: int
    largest_difference: float
    relative_difference: float
    smallest_cosine: float
    latency_one: float
    latency_batch: float


def export_onnx(
    checkpoint: str | Path,
    output: str | Path,
    *,
    towers: Sequence[str] = ("pronunciation",),
    int8: bool = True,
    repeats: int = 30,
) -> list[TowerReport]:
    """Writes `TOWER.onnx` and `TOWER_int8.onnx`, then compares them with PyTorch. Beside them go the processor's
    files and what else travels with a checkpoint (`ipaclip.common.checkpoints`).

    Inputs are named as the model's arguments are, and batch and length are dynamic; the one output, `TOWER_embeds`, is
    `(batch, projection_dim)`, projected and not normalised, float32. What depends on values, such as ids outside the
    vocabulary, is not checked within ONNX, so use the processor.

    Args:
        checkpoint: Directory or Hub name of an IPA-CLIP.
        output: The new directory.
        towers: Any of "pronunciation", "text" and "image".
        int8: Also with weights in int8, activations quantised as they come (`onnxruntime`'s dynamic quantisation).
        repeats: How often each latency is measured.

    Raises:
        ImportError: without onnx, onnxruntime and onnxscript.
        OSError: if there is no such checkpoint.
        ValueError: if a tower is unknown, `output` holds files, or fp32 differs from PyTorch by more than 1e-4 of the
            largest value: then nothing is left at `output`.
    """
    if unknown := [tower for tower in towers if tower not in TOWERS]:
        raise ValueError(f"There is no tower {unknown[0]!r}: choose from {', '.join(TOWERS)}.")
    _require_packages()
    require_directory_or_name(checkpoint)
    with new_directory(output) as directory:
        model = IPAClipModel.from_pretrained(checkpoint, dtype=torch.float32).eval()
        processor = IPAClipProcessor.from_pretrained(checkpoint)
        processor.save_pretrained(directory)
        copy_files(checkpoint, directory)
        reports: list[TowerReport] = []
        for name in dict.fromkeys(towers):
            reports += _export_and_compare(_Tower(name, model, processor), directory, int8=int8, repeats=repeats)
    return reports


def to_markdown(reports: Sequence[TowerReport]) -> str:
    """The comparison as a table."""
    header = ("tower", "runtime", "size, MB", "largest difference", "smallest cosine", "one input, ms", "32 inputs, ms")
    rows = [
        (
            r.tower, r.runtime, f"{r.size / 1e6:.2f}", f"{r.largest_difference:.1e}", f"{r.smallest_cosine:.5f}",
            f"{r.latency_one:.2f}", f"{r.latency_batch:.2f}",
        )
        for r in reports
    ]  # fmt: skip
    return markdown_table(header, rows) + "\n"


class _Tower(torch.nn.Module):
    """One tower with its projection: positional tensors in, one tensor out, as ONNX wants it."""

    def __init__(self, name: str, model: IPAClipModel, processor: IPAClipProcessor) -> None:
        super().__init__()
        self.name, self.model, self.processor = name, model, processor
        self.eval()

    @property
    def inputs(self) -> tuple[str, ...]:
        if self.name == "image":
            return ("pixel_values",)
        prefix = "pronunciation_" if self.name == "pronunciation" else ""
        return (f"{prefix}input_ids", f"{prefix}attention_mask")

    @property
    def size(self) -> int:
        """Bytes of the weights that the tower reads."""
        tower = "vision" if self.name == "image" else self.name
        projection = "visual" if self.name == "image" else self.name
        prefixes = (f"{tower}_model.", f"{projection}_projection.")
        return sum(t.nbytes for name, t in self.model.state_dict().items() if name.startswith(prefixes))

    def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
        features = getattr(self.model, f"get_{self.name}_features")
        return features(**dict(zip(self.inputs, tensors, strict=True))).pooler_output

    def dynamic_shapes(self) -> tuple[tuple[dict[int, str], ...]]:
        axes = {0: "batch"} if self.name == "image" else {0: "batch", 1: "length"}
        return (tuple(axes for _ in self.inputs),)

    def random_inputs(self, batch: int, length: int) -> tuple[torch.Tensor, ...]:
        """Rows of random ids of different lengths, begun and ended as the tokenizer does it; or random pixels."""
        generator = torch.Generator().manual_seed(batch * 1000 + length)
        if self.name == "image":
            config = self.model.config.vision_config
            shape = (batch, config.num_channels, config.image_size, config.image_size)
            return (torch.randn(shape, generator=generator),)
        config = getattr(self.model.config, f"{self.name}_config")
        length = min(length, config.max_position_embeddings)
        ids = torch.randint(config.vocab_size, (batch, length), generator=generator)
        ids[ids == config.eos_token_id] = config.bos_token_id
        ends = torch.randint(1, length, (batch,), generator=generator)
        ids[:, 0] = config.bos_token_id
        ids[torch.arange(batch), ends] = config.eos_token_id
        mask = (torch.arange(length) <= ends[:, None]).long()
        return ids * mask + config.pad_token_id * (1 - mask), mask

    def real_inputs(self, count: int) -> tuple[torch.Tensor, ...]:
        if self.name == "image":
            given: dict[str, Any] = {"images": [_picture(row) for row in range(count)]}
        else:
            kind, values = ("ipa", REAL_IPA) if self.name == "pronunciation" else ("text", REAL_TEXTS)
            given = {kind: [values[row % len(values)] for row in range(count)]}
        features = self.processor(**given, return_tensors="pt", truncation=True)
        return tuple(features[name] for name in self.inputs)


def _picture(seed: int) -> Any:
    """A smooth coloured pattern: nearer to a photograph than noise is."""
    import numpy as np
    from PIL import Image

    rows, columns = np.mgrid[0:120, 0:160] / 40
    channels = [np.sin(rows * (seed + 1) + phase) * np.cos(columns + seed) for phase in (0, 1, 2)]
    return Image.fromarray((127 * (1 + np.stack(channels, axis=-1))).astype(np.uint8))


def _require_packages() -> None:
    from importlib.util import find_spec

    if missing := [name for name in ("onnx", "onnxruntime", "onnxscript") if find_spec(name) is None]:
        raise ImportError(f'The export needs {", ".join(missing)}: pip install "ipaclip[onnx]".')


def _export_and_compare(tower: _Tower, directory: Path, *, int8: bool, repeats: int) -> list[TowerReport]:
    file = directory / f"{tower.name}.onnx"
    logger.info("exporting the %s tower", tower.name)
    _write_fp32(tower, file)
    runs: dict[str, tuple[int, Callable[..., torch.Tensor]]] = {
        "PyTorch fp32": (tower.size, tower),
        "ONNX fp32": (file.stat().st_size, _onnx_runner(file)),
    }
    if int8:
        quantised = file.with_name(f"{tower.name}_int8.onnx")
        _write_int8(file, quantised)
        runs["ONNX int8"] = (quantised.stat().st_size, _onnx_runner(quantised))
    reports = [_compare(tower, runtime, size, run, repeats) for runtime, (size, run) in runs.items()]
    if not (difference := reports[1].relative_difference) <= TOLERANCE:
        raise ValueError(
            f"The {tower.name} tower's ONNX differs from PyTorch by {difference:.1e} of the largest value, more than "
            f"{TOLERANCE:g}."
        )
    return reports


def _write_fp32(tower: _Tower, file: Path) -> None:
    import onnx

    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            tower,
            tower.random_inputs(2, 9),
            dynamo=True,
            verbose=False,
            input_names=list(tower.inputs),
            output_names=[f"{tower.name}_embeds"],
            dynamic_shapes=tower.dynamic_shapes(),
        )
        model = program.model_proto  # type: ignore[union-attr]
    # The exporter writes where in the source each node comes from, with the paths of this machine.
    del model.metadata_props[:]
    for entry in (model.graph, *model.graph.node, *model.graph.value_info, *model.functions):
        del entry.metadata_props[:]
    onnx.save(model, file)


def _write_int8(source: Path, target: Path) -> None:
    from onnxruntime.quantization import quantize_dynamic

    with _quiet():
        # Only what is a matrix product or a table: int8 convolutions are slower than fp32's on most CPUs. Seven bits,
        # for processors without VNNI add pairs of products in 16 bits, which eight overflow (onnxruntime's page on
        # quantisation, "reduce range"): a tiny tower's cosines fell to .6 on AMD EPYC, and are .99 anywhere with seven.
        quantize_dynamic(
            source, target, op_types_to_quantize=["MatMul", "Gemm", "Gather"], per_channel=True, reduce_range=True
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without torch's and onnxruntime's notes on how they might be called otherwise."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)


def _onnx_runner(file: Path) -> Callable[..., torch.Tensor]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_inputs()]

    def run(*tensors: torch.Tensor) -> torch.Tensor:
        given = dict(zip(names, (tensor.numpy() for tensor in tensors), strict=True))
        return torch.from_numpy(session.run(None, given)[0])

    return run


@torch.no_grad()
def _compare(tower: _Tower, runtime: str, size: int, run: Callable[..., torch.Tensor], repeats: int) -> TowerReport:
    cases = [tower.random_inputs(*shape) for shape in ((1, 5), (3, 17), (8, 64))]
    cases += [tower.real_inputs(1), tower.real_inputs(len(REAL_IPA))]
    measured = []
    for inputs in cases:
        expected, actual = tower(*inputs), run(*inputs)
        cosine = torch.nn.functional.cosine_similarity(expected, actual).min().item()
        measured.append(((expected - actual).abs().max().item(), relative_difference(expected, actual), -cosine))
    difference, relative, opposite = torch.tensor(measured).amax(0).tolist()  # unlike Python's, with nan it is nan
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        latencies = [_median_milliseconds(run, tower.real_inputs(count), repeats) for count in (1, 32)]
    finally:
        torch.set_num_threads(threads)
    return TowerReport(tower.name, runtime, size, difference, relative, -opposite, *latencies)


def _median_milliseconds(run: Callable[..., torch.Tensor], inputs: tuple[torch.Tensor, ...], repeats: int) -> float:
    run(*inputs)
    return 1000 * median(timeit.repeat(lambda: run(*inputs), number=1, repeat=repeats))
