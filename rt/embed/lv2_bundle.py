"""An LV2 bundle: the compiled plugin, and Turtle files that tell hosts its plugins and their ports."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from rtsep.kernels.errors import RtsepError
from rtsep.models.choir.model import voice_names
from rtsep.models.mask_model import RESIDUAL
from rtsep.rt.embed.built_files import PLUGIN, built_file
from rtsep.rt.hop.presets import OVERLAP_AT_48K
from rtsep.rt.python_process import interpreter

BUNDLE = "rtsep.lv2"


@dataclass(frozen=True)
class PluginKind:
    """One plugin: a row of the table in `lv2_plugin.cpp`."""

    uri: str
    name: str
    channels: int
    stems: tuple[str, ...]


def _voices(count: int) -> tuple[str, ...]:
    return (*voice_names(count), RESIDUAL)


KINDS = (
    PluginKind("urn:rtsep:choir-2", "rtsep choir, 2 voices", 1, _voices(2)),
    PluginKind("urn:rtsep:choir-3", "rtsep choir, 3 voices", 1, _voices(3)),
    PluginKind("urn:rtsep:choir-4", "rtsep choir, 4 voices", 1, _voices(4)),
    PluginKind("urn:rtsep:choir-4-stereo", "rtsep choir, 4 voices, stereo", 2, _voices(4)),
    PluginKind("urn:rtsep:band", "rtsep band", 2, ("vocals", "drums", "bass", "other", RESIDUAL)),
    PluginKind("urn:rtsep:vocals", "rtsep vocals", 2, ("vocals", RESIDUAL)),
)

PREFIXES = """\
@prefix bufsz: <http://lv2plug.in/ns/ext/buf-size#> .
@prefix doap: <http://usefulinc.com/ns/doap#> .
@prefix foaf: <http://xmlns.com/foaf/0.1/> .
@prefix lv2: <http://lv2plug.in/ns/lv2core#> .
@prefix opts: <http://lv2plug.in/ns/ext/options#> .
@prefix pprops: <http://lv2plug.in/ns/ext/port-props#> .
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix units: <http://lv2plug.in/ns/extensions/units#> .
@prefix urid: <http://lv2plug.in/ns/ext/urid#> .
@prefix work: <http://lv2plug.in/ns/ext/worker#> .

"""


def install(folder: Path) -> Path:
    """Writes the bundle into `folder`, such as ~/.lv2, in place of one of rtsep's that is there; returns it.

    The plugin is told which Python has rtsep by a line in the bundle.

    Raises:
        RtsepError: the plugin was not built, or something else has the bundle's name.
        OSError: the folder cannot be written.
    """
    plugin, bundle = built_file(PLUGIN), folder / BUNDLE
    if bundle.exists() and not (bundle / PLUGIN).exists():
        raise RtsepError(f"{bundle} exists and is not rtsep's", "move it away, or name another folder")
    bundle.mkdir(parents=True, exist_ok=True)
    temporary = bundle / f".{PLUGIN}"
    shutil.copyfile(plugin, temporary)
    temporary.replace(bundle / PLUGIN)  # a host that runs it keeps the file it has
    (bundle / "python").write_text(interpreter() + "\n", encoding="utf-8")
    (bundle / "manifest.ttl").write_text(manifest(), encoding="utf-8")
    (bundle / "rtsep.ttl").write_text(plugins(), encoding="utf-8")
    return bundle


def manifest() -> str:
    """manifest.ttl."""
    entries = [
        f"<{kind.uri}>\n\ta lv2:Plugin ;\n\tlv2:binary <{PLUGIN}> ;\n\trdfs:seeAlso <rtsep.ttl> .\n"
        for kind in KINDS
    ]
    return PREFIXES + "\n".join(entries)


def plugins() -> str:
    """rtsep.ttl."""
    return PREFIXES + "\n".join(_plugin(kind) for kind in KINDS)


def _plugin(kind: PluginKind) -> str:
    return (
        f"<{kind.uri}>\n\ta lv2:Plugin , lv2:SpectralPlugin , doap:Project ;\n"
        f'\tdoap:name "{kind.name}" ;\n'
        "\tdoap:license <https://www.apache.org/licenses/LICENSE-2.0> ;\n"
        '\tdoap:maintainer [ foaf:name "The rtsep authors" ] ;\n'
        "\tlv2:minorVersion 0 ;\n\tlv2:microVersion 1 ;\n"
        "\tlv2:requiredFeature urid:map ;\n"
        "\tlv2:optionalFeature opts:options , work:schedule ;\n"
        "\tlv2:optionalFeature bufsz:boundedBlockLength , bufsz:fixedBlockLength ;\n"
        "\tlv2:extensionData work:interface ;\n"
        f"\tlv2:port {' , '.join(_ports(kind))} .\n"
    )


def _ports(kind: PluginKind) -> list[str]:
    bodies = [
        *(_audio("lv2:InputPort", f"in{s}", f"In{n}") for s, n in _sides(kind.channels)),
        *(
            _audio("lv2:OutputPort", symbol(stem) + s, stem + n)
            for stem in kind.stems
            for s, n in _sides(kind.channels)
        ),
        _control("latency_ms", "Latency preset", 43, 5, 43, _preset_points()),
        _control("enabled", "Enabled", 1, 0, 1, "lv2:portProperty lv2:toggled ; lv2:designation lv2:enabled"),
        _control(
            "freewheel", "Freewheel", 0, 0, 1,
            "lv2:portProperty lv2:toggled , pprops:notOnGUI ; lv2:designation lv2:freeWheeling",
        ),
        *(_control(f"{symbol(s)}_gain", f"{s} gain", 0, -60, 12, "units:unit units:db") for s in kind.stems),
        _report("latency", "Latency", 8192 + 65536, "lv2:portProperty lv2:reportsLatency , lv2:integer , "
                "pprops:notOnGUI ; lv2:designation lv2:latency ; units:unit units:frame"),
        _report("engine", "Engine", 3, "lv2:portProperty lv2:integer , lv2:enumeration ; " + _points(
            {0: "none", 1: "running", 2: "restarting", 3: "bypassed"})),
        _report("late_hops", "Late hops", 1000000, "lv2:portProperty lv2:integer"),
    ]  # fmt: skip
    return [f"[ lv2:index {index} ; {body} ]" for index, body in enumerate(bodies)]


def symbol(stem: str) -> str:
    """A stem's name as LV2 allows it for a port."""
    return stem.replace("-", "_")


def _sides(channels: int) -> tuple[tuple[str, str], ...]:
    return (("", ""),) if channels == 1 else (("_left", " left"), ("_right", " right"))


def _audio(direction: str, sign: str, name: str) -> str:
    return f'a lv2:AudioPort , {direction} ; lv2:symbol "{sign}" ; lv2:name "{name}"'


def _control(sign: str, name: str, default: int, low: int, high: int, more: str) -> str:
    return (
        f'a lv2:ControlPort , lv2:InputPort ; lv2:symbol "{sign}" ; lv2:name "{name}" ; '
        f"lv2:default {default}.0 ; lv2:minimum {low}.0 ; lv2:maximum {high}.0 ; {more}"
    )


def _report(sign: str, name: str, high: int, more: str) -> str:
    return (
        f'a lv2:ControlPort , lv2:OutputPort ; lv2:symbol "{sign}" ; lv2:name "{name}" ; '
        f"lv2:minimum 0 ; lv2:maximum {high} ; {more}"
    )


def _preset_points() -> str:
    properties = "lv2:portProperty lv2:enumeration , lv2:integer , pprops:expensive ; units:unit units:ms ; "
    return properties + _points({ms: f"{ms} ms" for ms in OVERLAP_AT_48K})


def _points(labels: dict[int, str]) -> str:
    points = (f'[ rdfs:label "{label}" ; rdf:value {value} ]' for value, label in labels.items())
    return f"lv2:scalePoint {' , '.join(points)}"
