"""Whether two devices run on one clock, and the bridge between them where they do not."""

from rtsep.kernels import _core
from rtsep.rt.drivers.devices import ALSA, ALSA_NUMBERS, Device

# libsamplerate: Linux, and macOS with and without a package manager's folder
LIBRARIES = [
    "libsamplerate.so.0",
    "libsamplerate.0.dylib",
    "/usr/local/lib/libsamplerate.0.dylib",
    "/opt/homebrew/lib/libsamplerate.0.dylib",
]
INSTALL = "apt install libsamplerate0"


def have_one_clock(source: Device, target: Device) -> bool:
    """Whether both are parts of one device. JACK's graph has one clock, and so has an ALSA card.

    >>> mic = Device(0, "USB mic: Audio (hw:1,0)", "ALSA", 1, 0, 48000.0, 5.0, 5.0, False, False)
    >>> out = Device(1, "PCH: ALC295 Analog (hw:0,0)", "ALSA", 0, 2, 48000.0, 5.0, 5.0, False, False)
    >>> have_one_clock(mic, out), have_one_clock(mic, mic)
    (False, True)
    """
    if (source.is_jack and target.is_jack) or source.index == target.index:
        return True
    if source.host_api != target.host_api:
        return False
    return source.name == target.name or (source.host_api == ALSA and _card(source) == _card(target) != "")


def _card(device: Device) -> str:
    """The ALSA card by the end of PortAudio's name, "hw:1"; "" where it is none."""
    found = ALSA_NUMBERS.search(device.name)
    return found[0].strip("()").removeprefix("plug").partition(",")[0] if found else ""


def make_bridge(channels: int, samplerate: int, blocksize: int) -> _core.ClockBridge:
    """A bridge that nothing runs yet.

    Raises:
        RuntimeError: libsamplerate is not there.
    """
    return _core.ClockBridge(channels, float(samplerate), blocksize, LIBRARIES)


def bridge_samples(samplerate: int, blocksize: int) -> int:
    """What a bridge adds to the delay, exact; 0 where none can be made as libsamplerate is not there."""
    try:
        return make_bridge(1, samplerate, blocksize).delay_samples
    except RuntimeError:
        return 0
