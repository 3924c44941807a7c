"""What can be known of a show without a device: options that go together, stems, parameters, scenes."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rtsep.kernels.assignments import MAX_VOICES
from rtsep.kernels.errors import RtsepError
from rtsep.models.choir.model import voice_names
from rtsep.models.mask_model import RESIDUAL
from rtsep.models.registry import shipped_models
from rtsep.models.singers import REST as SINGERS_REST
from rtsep.rt.cli.input_kind import Kind, classify
from rtsep.rt.cli.option_types import RunOptions
from rtsep.rt.cli.run_offline import check_conflicts, given_pitches, model_choice
from rtsep.rt.cli.session_actions import session_name
from rtsep.rt.cli.show.show_file import PARAMETERS, SCENES, ShowFile, did_you_mean
from rtsep.rt.control.desk_layout import lay_desk, parse_input_mix, parse_route
from rtsep.rt.control.osc_server import parse_address
from rtsep.rt.control.parameters import Parameter, mixer_parameters, plain_value, strip_of
from rtsep.rt.control.scenes import check_scene_name
from rtsep.rt.control.web.listening import parse_web_address
from rtsep.rt.drivers.jack_options import JackOptions, wanted_jack
from rtsep.rt.drivers.jack_ports import stem_port_names
from rtsep.rt.live.settings import jack_settings

STEREO = 2


def known_parameters(
    options: RunOptions, mentioned: Mapping[str, object] | None = None
) -> tuple[Parameter, ...]:
    """Those that a run with these options has: as many outputs as it names, two where that is the device's.

    Args:
        options: of the run.
        mentioned: names of parameters; of outputs that only the device knows, those named here are taken to
            be there.

    Raises:
        RtsepError: no such model, stems, route or mix.
    """
    choice = model_choice(options)
    stems = [*choice.names(), RESIDUAL]
    is_jack = options.driver == "jack" or _jack(options) is not None
    inputs = [[channel - 1] for channel in options.input_channels or [1]]
    if options.input_mix is not None:
        inputs = parse_input_mix(options.input_mix)
    elif is_jack:
        inputs = [[place] for place in range(len(inputs))]
    if options.route is not None:
        routed = sorted({place for some in parse_route(options.route, stems).values() for place in some})
        outputs = list(range(max(routed) + 1)) if is_jack else routed
    elif is_jack:
        outputs = list(range(len(stem_port_names(stems, len(inputs)))))
    else:
        outputs = list(range(max(STEREO, _largest_output(mentioned or {}))))
    if options.output_channels is not None and not is_jack:
        outputs = [channel - 1 for channel in options.output_channels]
    layout, _ = lay_desk(stems, inputs, outputs, max(outputs) + 1, options.route)
    return mixer_parameters(layout)


def _largest_output(names: Mapping[str, object]) -> int:
    found = [int(match[1]) for name in names if (match := re.search(r"\.to-([1-9]\d{0,2})$", name))]
    return max(found, default=0)


def later_parameters(show: ShowFile, known: Iterable[str]) -> dict[str, Parameter]:
    """By name, those of stems that a change of voices, stems or model may bring while a show plays: of every
    shipped model. The outputs that the show names are taken to be there. `known`: names of the parameters of
    now; their stems are left out.
    """
    of_models = [stem for model in shipped_models().values() for stem in model.card.stems]
    stems = list(dict.fromkeys([*of_models, *voice_names(MAX_VOICES), SINGERS_REST, RESIDUAL]))
    outputs = list(range(max(STEREO, _largest_output(_mentioned(show)))))
    layout, _ = lay_desk(stems, [[0]], outputs, len(outputs))
    later = set(stems) - {strip_of(name) for name in known}
    return {p.name: p for p in mixer_parameters(layout) if strip_of(p.name) in later}


def _mentioned(show: ShowFile) -> dict[str, object]:
    """Names of the parameters in a show and its scenes."""
    return {name: None for held in (show.parameters, *show.scenes.values()) for name in held}


def check_values(show: ShowFile, parameters: tuple[Parameter, ...]) -> None:
    """Notes in `show.faults` every value that is none of these parameters, nor of a stem that may come."""
    known = {parameter.name: parameter for parameter in parameters}
    of_name = later_parameters(show, known) | known
    tables = [(PARAMETERS, show.parameters), *((f"{SCENES}.{n}", held) for n, held in show.scenes.items())]
    for table, held in tables:
        for name, value in held.items():
            try:
                if name not in of_name:
                    remedy = did_you_mean(name, of_name)
                    raise RtsepError(f"there is no parameter {name!r} in this show", remedy)
                numbers(of_name, {name: value})
            except RtsepError as error:
                show.fault(f"{table}.{name}", str(error))
    for name in show.scenes:
        try:
            check_scene_name(name)
        except RtsepError as error:
            show.fault(f"{SCENES}.{name}", str(error))


def numbers(of_name: Mapping[str, Parameter], held: Mapping[str, Any]) -> dict[str, float]:
    """Values as written, as the numbers that are set; RtsepError for what a parameter does not take."""
    return {n: of_name[n].checked(plain_value(of_name[n], v)) for n, v in held.items() if n in of_name}


def check_show(show: ShowFile, input_: str | None, options: RunOptions) -> None:
    """Notes in `show.faults` all that can be known without a device."""
    if show.faults and not show.options:
        return  # nothing could be read
    if input_ is None:
        show.fault("input", 'it is missing; write input = "mic", a device or a file')
        return
    source = classify(input_)
    live = source.kind is Kind.DEVICE
    steps: list[Callable[[], object]] = [
        lambda: check_conflicts(source, options),
        lambda: given_pitches(options),
    ]
    if live:
        steps += [lambda: jack_settings(options.driver, _jack(options)), lambda: session_name(options.name)]
        if options.osc is not None:
            steps.append(lambda: parse_address(str(options.osc), "--osc"))
        if options.web is not None:
            steps.append(lambda: parse_web_address(str(options.web)))
    elif show.parameters or show.scenes:
        table = PARAMETERS if show.parameters else SCENES
        show.fault(table, f"it is for live input, not for {input_}; leave it out")
    for step in steps:
        try:
            step()
        except RtsepError as error:
            show.fault_of(error)
    try:
        parameters = known_parameters(options, _mentioned(show))
    except RtsepError as error:
        show.fault_of(error, "stems", "model", "add-on", "voices")
        return
    check_values(show, parameters)


def _jack(options: RunOptions) -> JackOptions | None:
    return wanted_jack(options.jack_name, options.connect, options.no_restore, options.driver)
