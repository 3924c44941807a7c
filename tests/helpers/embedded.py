"""librtsep and the LV2 plugin called from Python, as a host written in C calls them."""

import ctypes
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
FloatP = ctypes.POINTER(ctypes.c_float)
BUF_SIZE = "http://lv2plug.in/ns/ext/buf-size"


class Options(ctypes.Structure):
    """rtsep_options."""

    _fields_ = (
        ("api_version", ctypes.c_uint32),
        ("samplerate", ctypes.c_double),
        ("channels", ctypes.c_uint32),
        ("model", ctypes.c_char_p),
        ("stems", ctypes.c_char_p),
        ("voices", ctypes.c_uint32),
        ("latency_ms", ctypes.c_uint32),
        ("max_block_frames", ctypes.c_uint32),
        ("block_is_fixed", ctypes.c_int),
        ("python", ctypes.c_char_p),
    )


class Status(ctypes.Structure):
    """rtsep_status."""

    _fields_ = (
        ("engine", ctypes.c_int),
        ("frames", ctypes.c_uint64),
        ("late_hops", ctypes.c_uint64),
        ("fallback_frames", ctypes.c_uint64),
        ("lost_input_frames", ctypes.c_uint64),
        ("nonfinite_samples", ctypes.c_uint64),
        ("engine_restarts", ctypes.c_uint32),
    )


class Library:
    """librtsep, loaded."""

    def __init__(self, file: Path) -> None:
        self.c = ctypes.CDLL(str(file))
        self.c.rtsep_default_options.restype = Options
        self.c.rtsep_default_options.argtypes = [ctypes.c_double]
        self.c.rtsep_open.restype = ctypes.c_void_p
        self.c.rtsep_open.argtypes = [ctypes.POINTER(Options), ctypes.c_char_p, ctypes.c_size_t]
        self.c.rtsep_stem_name.restype = ctypes.c_char_p
        self.c.rtsep_stem_name.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
        self.c.rtsep_get_status.restype = Status
        self.c.rtsep_wait.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_double]
        self.c.rtsep_set_gain.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_float]
        self.c.rtsep_set_bypass.argtypes = [ctypes.c_void_p, ctypes.c_int]
        self.c.rtsep_process.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32]
        for name in ("stem_count", "latency_samples", "get_status", "close"):
            getattr(self.c, f"rtsep_{name}").argtypes = [ctypes.c_void_p]

    def open(self, samplerate: float = 48000.0, **options: Any) -> "Stream":
        """A stream; ValueError with the library's line where it refuses."""
        wanted = self.c.rtsep_default_options(samplerate)
        for name, value in options.items():
            setattr(wanted, name, value)
        error = ctypes.create_string_buffer(512)
        handle = self.c.rtsep_open(ctypes.byref(wanted), error, len(error))
        if not handle:
            raise ValueError(error.value.decode())
        return Stream(self.c, handle, wanted.channels)


class Stream:
    """rtsep_stream."""

    def __init__(self, c: ctypes.CDLL, handle: int, channels: int) -> None:
        self._c, self._handle, self._channels = c, handle, channels
        self.stems = tuple(c.rtsep_stem_name(handle, i).decode() for i in range(c.rtsep_stem_count(handle)))
        self.latency_samples: int = c.rtsep_latency_samples(handle)

    def process(self, block: F32, wait_s: float = 0.0) -> F32:
        """[frames, channels] -> [stems, frames, channels]."""
        frames = len(block)
        if wait_s:
            self._c.rtsep_wait(self._handle, frames, wait_s)
        planes = np.ascontiguousarray(block.T, np.float32)
        out = np.full((len(self.stems) * self._channels, frames), np.nan, np.float32)
        self._c.rtsep_process(self._handle, _rows(planes), _rows(out), frames)
        return out.reshape(len(self.stems), self._channels, frames).transpose(0, 2, 1)

    def set_gain(self, stem: int, gain: float) -> None:
        """rtsep_set_gain."""
        self._c.rtsep_set_gain(self._handle, stem, gain)

    def set_bypass(self, on: bool) -> None:
        """rtsep_set_bypass."""
        self._c.rtsep_set_bypass(self._handle, int(on))

    def status(self) -> Status:
        """rtsep_get_status."""
        status: Status = self._c.rtsep_get_status(self._handle)
        return status

    def close(self) -> None:
        """rtsep_close."""
        self._c.rtsep_close(self._handle)


def _rows(planes: F32) -> Any:
    """The address of each row, as C's float *const *."""
    return (FloatP * len(planes))(*(row.ctypes.data_as(FloatP) for row in planes))


class Descriptor(ctypes.Structure):
    """LV2_Descriptor."""

    _fields_ = (
        ("uri", ctypes.c_char_p),
        (
            "instantiate",
            ctypes.CFUNCTYPE(
                ctypes.c_void_p, ctypes.c_void_p, ctypes.c_double, ctypes.c_char_p, ctypes.c_void_p
            ),
        ),
        ("connect_port", ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p)),
        ("activate", ctypes.CFUNCTYPE(None, ctypes.c_void_p)),
        ("run", ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint32)),
        ("deactivate", ctypes.CFUNCTYPE(None, ctypes.c_void_p)),
        ("cleanup", ctypes.CFUNCTYPE(None, ctypes.c_void_p)),
        ("extension_data", ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_char_p)),
    )


class Feature(ctypes.Structure):
    """LV2_Feature."""

    _fields_ = (("uri", ctypes.c_char_p), ("data", ctypes.c_void_p))


Respond = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p)
Schedule = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p)


MapWord = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p, ctypes.c_char_p)


class WorkerSchedule(ctypes.Structure):
    """LV2_Worker_Schedule."""

    _fields_ = (("handle", ctypes.c_void_p), ("schedule_work", Schedule))


class Map(ctypes.Structure):
    """LV2_URID_Map."""

    _fields_ = (("handle", ctypes.c_void_p), ("map", MapWord))


class Option(ctypes.Structure):
    """LV2_Options_Option."""

    _fields_ = (
        ("context", ctypes.c_int),
        ("subject", ctypes.c_uint32),
        ("key", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
        ("value", ctypes.c_void_p),
    )


class WorkerInterface(ctypes.Structure):
    """LV2_Worker_Interface."""

    _fields_ = (
        (
            "work",
            ctypes.CFUNCTYPE(
                ctypes.c_int, ctypes.c_void_p, Respond, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p
            ),
        ),
        (
            "work_response",
            ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p),
        ),
        ("end_run", ctypes.c_void_p),
    )


class PluginHost:
    """A host with one plugin of a bundle, whose worker runs when `run` returns.

    Args:
        bundle: folder with rtsep_lv2.so.
        uri: of the plugin.
        inputs, outputs: audio ports.
        controls: control ports in, then out.
        blocks: what it says of its blocks, by the last word of LV2's name: `maxBlockLength`.
        at_once: its worker runs, and answers, where the plugin asks for it.
    """

    def __init__(
        self,
        bundle: Path,
        uri: str,
        samplerate: float,
        inputs: int,
        outputs: int,
        controls: Sequence[float],
        blocks: Mapping[str, int] | None = None,
        at_once: bool = False,
    ) -> None:
        library = ctypes.CDLL(str(bundle / "rtsep_lv2.so"))
        library.lv2_descriptor.restype = ctypes.POINTER(Descriptor)
        index = 0
        while (found := library.lv2_descriptor(index)) and found.contents.uri.decode() != uri:
            index += 1
        if not found:
            raise LookupError(uri)
        self._plugin = found.contents
        self._jobs: list[bytes] = []
        self._at_once = at_once
        self._schedule = Schedule(self._take_job)
        worker = WorkerSchedule(None, self._schedule)
        words: dict[bytes, int] = {}
        mapped = Map(None, MapWord(lambda _, uri: words.setdefault(uri, len(words) + 1)))
        sizes = [ctypes.c_int32(frames) for frames in (blocks or {}).values()]
        options = (Option * (len(sizes) + 1))()
        for option, size, name in zip(options, sizes, blocks or {}, strict=False):
            option.key = mapped.map(None, f"{BUF_SIZE}#{name}".encode())
            option.size, option.value = ctypes.sizeof(size), ctypes.addressof(size)
        features = [
            Feature(uri, ctypes.cast(ctypes.pointer(offered), ctypes.c_void_p))
            for uri, offered in (
                (b"http://lv2plug.in/ns/ext/worker#schedule", worker),
                (b"http://lv2plug.in/ns/ext/urid#map", mapped),
                (b"http://lv2plug.in/ns/ext/options#options", options),
            )
        ]
        self._features = (ctypes.POINTER(Feature) * (len(features) + 1))()
        for place, feature in enumerate(features):
            self._features[place] = ctypes.pointer(feature)
        self._keep = worker, mapped, sizes, options, features
        self._handle = self._plugin.instantiate(
            ctypes.addressof(self._plugin),
            samplerate,
            f"{bundle}/".encode(),
            ctypes.addressof(self._features),
        )
        self._inputs, self._outputs = inputs, outputs
        self.controls = np.array(controls, np.float32)
        for i in range(len(self.controls)):
            place = self.controls[i:].ctypes.data
            self._plugin.connect_port(self._handle, inputs + outputs + i, place)
        self._worker = ctypes.cast(
            self._plugin.extension_data(b"http://lv2plug.in/ns/ext/worker#interface"),
            ctypes.POINTER(WorkerInterface),
        ).contents
        self._plugin.activate(self._handle)

    def _take_job(self, _: int, size: int, data: int) -> int:
        job = ctypes.string_at(data, size)
        if self._at_once:
            self._work(job)
        else:
            self._jobs.append(job)
        return 0

    def _work(self, job: bytes) -> None:
        self._worker.work(self._handle, Respond(self._respond), None, len(job), job)

    def run(self, block: F32) -> F32:
        """[inputs, frames] -> [outputs, frames]; then what the plugin has left to its worker."""
        frames = block.shape[1]
        given = np.ascontiguousarray(block, np.float32)
        out = np.full((self._outputs, frames), np.nan, np.float32)
        for port, row in enumerate([*given, *out]):
            self._plugin.connect_port(self._handle, port, row.ctypes.data)
        self._plugin.run(self._handle, frames)
        jobs, self._jobs = self._jobs, []
        for job in jobs:
            self._work(job)
        return out

    def _respond(self, _: int, size: int, data: int) -> int:
        return int(self._worker.work_response(self._handle, size, data))

    def activate_again(self) -> None:
        """As hosts do around a change of theirs."""
        self._plugin.deactivate(self._handle)
        self._plugin.activate(self._handle)

    def close(self) -> None:
        """Deactivates and destroys it."""
        self._plugin.deactivate(self._handle)
        self._plugin.cleanup(self._handle)
