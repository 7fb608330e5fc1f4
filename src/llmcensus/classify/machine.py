"""
The kernel as machine code: compiled by Numba once, kept in a file, and loaded from it by llvmlite alone.

Numba keeps what it compiles, too, but has to be imported to load it, which takes longer than everything else at start
and as much memory. The file is known by all that it was made from: the kernel's source, the compiler, the processor.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import threading
from functools import cache
from importlib.metadata import version
from pathlib import Path
from tempfile import NamedTemporaryFile

import llvmlite.binding as llvm
import numpy as np
from numpy.typing import NDArray

from llmcensus.classify.features import Segments

# Scores a request, and features a byte of text at most.
OUTPUTS = 32
FEATURES_PER_BYTE = 3
SYMBOL = "llmcensus_score"
DIGEST = 16
ROOT = 0
# What Numba would call when the last user of an array lets go of it. Arrays made of pointers are not its own.
NO_OWNER = "define void @NRT_MemInfo_call_dtor(ptr %array) { ret void }"
POINTER = ctypes.c_void_p
SIZE = ctypes.c_int64
# What `kernel.entry` takes.
ARGUMENTS = (*(POINTER,) * 4, *(SIZE,) * 3, POINTER, SIZE, ctypes.c_double, POINTER, POINTER, SIZE, *(POINTER,) * 4)
# A compiled function takes places for a result and an exception before them, and returns a status.
ENTRY = ctypes.CFUNCTYPE(ctypes.c_int32, POINTER, POINTER, *ARGUMENTS)


def score(fields: Segments, weights: NDArray[np.int8], scale: float, bias: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns the scores of every request, shape (requests, OUTPUTS). The GIL is released meanwhile."""
    text, start, field, first = fields
    # Addresses say nothing of what is there.
    weights, bias = np.ascontiguousarray(weights, np.int8), np.ascontiguousarray(bias, np.float32)
    requests, segments = len(first) - 1, len(field)
    room = FEATURES_PER_BYTE * int(np.diff(start).max(initial=0)) + 8
    scores = np.empty((requests, OUTPUTS), np.float32)
    found, lanes, sums = np.empty(room, np.uint32), np.empty(8, np.uint64), np.empty(OUTPUTS, np.int64)
    nothing, error = ctypes.c_void_p(), ctypes.c_void_p()
    address = [array.ctypes.data for array in (text, start, field, first)]
    scratch = (found.ctypes.data, room, lanes.ctypes.data, lanes.ctypes.data, sums.ctypes.data)
    sizes = (len(text), segments, requests)
    learned = (weights.ctypes.data, len(weights), scale, bias.ctypes.data)
    code = loaded()
    status = code.entry(
        ctypes.byref(nothing), ctypes.byref(error), *address, *sizes, *learned, *scratch, scores.ctypes.data
    )
    if status:
        raise RuntimeError(f"The kernel ended with status {status}")
    return scores


class Code:
    """Machine code in memory. `entry` is good for as long as this lives."""

    def __init__(self, code: bytes) -> None:
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target())
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self._engine.finalize_object()
        self.entry = ENTRY(self._engine.get_function_address(SYMBOL))


_one_at_a_time = threading.Lock()


def loaded() -> Code:
    """Returns the kernel's code from where it is kept; where it is not, it is compiled, which takes some seconds."""
    with _one_at_a_time:
        return _loaded()


@cache
def _loaded() -> Code:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    name = f"kernel-{_made_from()}.o"
    code = next(filter(None, (_kept(folder / name) for folder in folders())), None)
    if code is None:
        code = _build()
        _keep(code, name)
    return Code(code)


def folders() -> list[Path]:
    """Returns where the code may be kept, best first: beside the source, else in the user's cache."""
    if named := os.environ.get("NUMBA_CACHE_DIR"):
        return [Path(named)]
    users = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    # Without a home there is no cache of the user's, and code is not to be run from wherever one happens to be.
    return [Path(__file__).with_name("__pycache__"), *([users / "llmcensus"] if users.is_absolute() else [])]


def _made_from() -> str:
    source = Path(__file__).with_name("kernel.py").read_bytes() + Path(__file__).read_bytes()
    compilers = [version("numba"), version("llvmlite"), version("numpy")]
    processor = [llvm.get_process_triple(), llvm.get_host_cpu_name(), _features()]
    return hashlib.blake2b(source + "\n".join(compilers + processor).encode(), digest_size=8).hexdigest()


def _build() -> bytes:
    """Returns the code as an object file that stands alone."""
    from llmcensus.classify import kernel

    module = llvm.parse_assembly(kernel.source())
    module.link_in(llvm.parse_assembly(NO_OWNER))
    entry = next(function for function in module.functions if kernel.entry.__name__ in function.name)
    entry.name = SYMBOL
    for function in module.functions:
        if not function.is_declaration and function.name != SYMBOL:
            function.linkage = "internal"
    passes = llvm.create_new_module_pass_manager()
    passes.add_global_dead_code_eliminate_pass()
    passes.run(module, llvm.create_pass_builder(_target(), llvm.create_pipeline_tuning_options()))
    needed = [f.name for f in module.functions if f.is_declaration and not f.name.startswith("llvm.")]
    if needed:
        raise RuntimeError(f"The kernel was compiled into code that needs {needed}")
    return bytes(_target().emit_object(module))


def _target() -> llvm.TargetMachine:
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=_features(),
        opt=3,
        codemodel="jitdefault",
        jit=True,
    )


def _features() -> str:
    """Returns what the processor can do; nothing beyond its name where LLVM cannot tell."""
    try:
        return str(llvm.get_host_cpu_features().flatten())
    except RuntimeError:
        return ""


def _kept(path: Path) -> bytes | None:
    """Returns the code in a file, unless it is not whole, or another user's: such code is not to be run."""
    try:
        with path.open("rb") as file:
            if hasattr(os, "getuid") and os.fstat(file.fileno()).st_uid not in (os.getuid(), ROOT):
                return None
            kept = file.read()
    except OSError:
        return None
    return kept[DIGEST:] if kept[:DIGEST] == _digest(kept[DIGEST:]) else None


def _keep(code: bytes, name: str) -> None:
    """Writes the code into the first folder that takes it; if none does, the next process compiles it again."""
    for folder in folders():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _write(folder, name, _digest(code) + code)
        except OSError:
            continue
        return


def _write(folder: Path, name: str, content: bytes) -> None:
    """Writes a file that is there as a whole or not at all, and that others may read."""
    with NamedTemporaryFile(dir=folder, delete=False) as file:
        try:
            file.write(content)
            file.flush()
            Path(file.name).chmod(0o644)
            os.replace(file.name, folder / name)
        except OSError:
            Path(file.name).unlink(missing_ok=True)
            raise


def _digest(code: bytes) -> bytes:
    return hashlib.blake2b(code, digest_size=DIGEST).digest()
