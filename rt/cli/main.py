"""The `rtsep` command: options, subcommands, exit codes."""

import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import click

from rtsep.kernels.errors import RtsepError
from rtsep.rt.audio.disk_errors import reason, remedy
from rtsep.rt.cli.command_group import RootGroup, SectionOption
from rtsep.rt.cli.control import control
from rtsep.rt.cli.messages import (
    EXIT_BROKEN_PIPE,
    EXIT_USER,
    Messages,
    StdoutError,
    marked_stdout,
    one_line,
    prepare_streams,
)
from rtsep.rt.cli.option_types import CHANNEL_LIST, DRIVER, LATENCY_MS, POSITIVE, STEMS, VOICES, RunOptions
from rtsep.rt.cli.show.show_file import ShowFile, take_config
from rtsep.rt.python_process import ONE_THREAD
from rtsep.rt.stop import Stopped

EXIT_CTRL_C = 130

EPILOG = """\b
Examples:
  rtsep --input mic --voices 4
  rtsep --input choir.wav --voices 4 --output stems/
  rtsep --input "USB" --input-channels 3 --output-device 5 --voices 2 --record takes/
  ffmpeg -i choir.mp3 -f f32le -ac 1 -ar 48000 - | rtsep --input - --raw f32le:48000:1 --output stems/

\b
Exit codes: 0 done, 2 a mistake in options or input, 4 a take has holes, 130 Ctrl-C, 143 kill, 141 the reader
of the output left.
"""


F = TypeVar("F", bound=Callable[..., Any])


def option(*names: str, section: str, **kwargs: Any) -> Callable[[F], F]:
    """A root option under a heading."""
    return click.option(*names, cls=SectionOption, section=section, **kwargs)


@click.group(cls=RootGroup, invoke_without_command=True, epilog=EPILOG)
@option("--config", section="A show", metavar="FILE.toml", is_eager=True, expose_value=False,
        callback=take_config,
        help="Options by their names here, [parameters], [scenes.NAME]; the command line wins.")  # fmt: skip
@option("--check", section="A show", is_flag=True,
        help="With --config: say what is wrong with it; needs no device.")  # fmt: skip
@option(
    "--input", "input_", section="Sound in", metavar="mic|NAME|INDEX|FILE|-",
    help="Default device, device by part of its name or index, audio file, or standard input.",
)  # fmt: skip
@option(
    "--input-channels", section="Sound in", type=CHANNEL_LIST, metavar="LIST",
    help="Channels to take, from 1, such as 3 or 1,2 or 1-4. Files and pipes: all unless given.",
)  # fmt: skip
@option(
    "--raw", section="Sound in", metavar="FORMAT:RATE:CHANNELS",
    help="Standard input is s16le, s24le, s32le, f32le or f64le, such as f32le:48000:1; WAV otherwise.",
)  # fmt: skip
@option(
    "--f0", section="Sound in", metavar="FILE.csv",
    help="Pitches to follow, not to track: time in seconds, then the F0 of every voice in Hz, 0 unvoiced.",
)  # fmt: skip
@option("--score", section="Separation", metavar="FILE",
        help="MusicXML or MIDI: its parts are the voices, followed by ear.")  # fmt: skip
@option("--transpose", section="Separation", type=click.FloatRange(-24, 24), metavar="SEMITONES",
        help="What is sung above what --score says; found by listening unless given.")  # fmt: skip
@option("--order", section="Separation", type=click.Choice(["pitch", "part"]),
        help="Stems are the voices from the highest down, or parts, which may cross.")  # fmt: skip
@option("--parts", section="Separation", metavar="LIST",
        help="Parts that may cross, from the highest: S,A,T,B (M mezzo, Bar baritone).")  # fmt: skip
@option("--range", "ranges", section="Separation", multiple=True, metavar="PART:LOW-HIGH",
        help="Of a part that may cross, such as voice-1:C4-A5; may be given again.")  # fmt: skip
@option("--voices", section="Separation", type=VOICES, metavar="1..4",
        help="Voices that sing, highest first: 4 of a choir unless given; of a band, the singers in its "
        "vocals.")  # fmt: skip
@option("--stems", section="Separation", type=STEMS, metavar="LIST",
        help="Stems of a band in order, such as vocals,drums; all of the model's unless given.")  # fmt: skip
@option("--add-on", "add_ons", section="Separation", multiple=True, metavar="FOLDER",
        help="A stem more for a band model, see `rtsep-train add-stem`; may be given again.")  # fmt: skip
@option("--latency", "latency_ms", section="Separation", type=LATENCY_MS, metavar="MS",
        help="Preset, in ms: 5, 11, 21, 43; a choir's 143, 243, 543 decide pitches later. More separates "
        "better: 11 unless given, 43 with both ends.")  # fmt: skip
@option("--model", section="Separation", metavar="NAME|FOLDER",
        help="See `rtsep models`; choir unless given, band with --stems.")  # fmt: skip
@option(
    "--backend", section="Separation", default="auto", show_default=True, metavar="NAME",
    help="auto, cpu; openvino (after `rtsep compile`); on an NVIDIA GPU whole hops by cuda, or tensorrt, "
    "tensorrt-fp16 (after `rtsep compile`). Without a GPU the processor takes over, before the start.",
)  # fmt: skip
@option("--render", section="Separation", type=click.Choice(["masks", "synth"]), default="masks",
        show_default=True, help="synth: voices sung anew at their pitches (guide tracks).")  # fmt: skip
@option(
    "--output", section="Files and pipes out", metavar="FOLDER|-",
    help="One float32 WAV per stem, aligned to the input; stems of the same name are replaced, other files "
    "never. -: raw float32 on standard output, each frame stem by stem.",
)  # fmt: skip
@option("--keep-latency", section="Files and pipes out", is_flag=True,
        help="Leave the latency in the output instead of aligning it to the input.")  # fmt: skip
@option("--offline", section="Files and pipes out", type=click.Choice(["auto", "on", "off"]),
        help="Decide a file from both ends: auto (where the model can, into a folder), on, or off for the "
        "samples of a live run.")  # fmt: skip
@option("--f0-out", section="Pitches out", metavar="FILE.csv",
        help="F0 of every voice over time, as --f0 reads it.")  # fmt: skip
@option("--midi-out", section="Pitches out", metavar="FILE.mid|PORT",
        help="Notes of every voice, a channel for each, with pitch bend: a file; live a port too, or "
        "virtual:NAME for a port of its own.")  # fmt: skip
@option("--output-device", section="Live", metavar="NAME|INDEX", help="Default device unless given.")
@option("--output-channels", section="Live", type=CHANNEL_LIST, metavar="LIST",
        help="Where the stems go in order, from channel 1.")  # fmt: skip
@option("--route", section="Live", metavar="LIST",
        help='Outputs of each stem, such as "voice-1>1,2; residual>3".')  # fmt: skip
@option("--input-mix", section="Live", metavar="LIST",
        help='Device inputs summed into what is separated: "1+2"; "1+2,3+4" for two channels.')  # fmt: skip
@option(
    "--yes-feedback", section="Live", is_flag=True,
    help="Play at once on the device that has the microphone too: it starts muted otherwise.",
)  # fmt: skip
@option("--samplerate", section="Live", type=POSITIVE, metavar="HZ", help="The device's own unless given.")
@option("--blocksize", section="Live", type=POSITIVE, metavar="FRAMES",
        help="Device block; one that divides the hop adds no latency.")  # fmt: skip
@option("--driver", section="Live", type=DRIVER, metavar="portaudio|jack",
        help="jack: a JACK client of its own, a port for each stem; --input and --output-device "
        "name clients.")  # fmt: skip
@option("--jack-name", section="Live", metavar="NAME", help="Of the JACK client; rtsep unless given.")
@option(
    "--connect", section="Live", metavar="LIST",
    help='JACK connections, such as "system:capture_1>in_1; voice-1>system:playback_1", or none; as they '
    "were last, or the physical ports unless given.",
)  # fmt: skip
@option("--no-restore", section="Live", is_flag=True,
        help="Forget what earlier runs left: JACK connections, faders and scenes of --name.")  # fmt: skip
@option("--record", section="Live", metavar="FOLDER",
        help="Keep the input and every stem in FOLDER/take-001, or the next number.")  # fmt: skip
@option("--record-format", section="Live", type=click.Choice(["wav", "flac"]), default="wav",
        show_default=True, help="float32 WAV, or FLAC of 24 bit.")  # fmt: skip
@option("--pre-roll", section="Live", is_flag=True,
        help="Record only when told to (kill -USR1 starts, stops), and the 10 s before it.")  # fmt: skip
@option("--osc", section="Live", metavar="[HOST:]PORT",
        help="Be steered by OSC; from this machine only unless a host is given.")  # fmt: skip
@option("--midi", section="Live", metavar="NAME", multiple=True,
        help="Be steered by a MIDI controller: part of its port's name, or virtual for ports of rtsep's "
        "own; may be given again.")  # fmt: skip
@option("--midi-map", section="Live", metavar="FILE.toml", multiple=True,
        help="What its faders and buttons do, one for each --midi; one that `rtsep control midi learn NAME` "
        "has made unless given.")  # fmt: skip
@option("--web", section="Live", metavar="[HOST:]PORT",
        help="A mixer page for phone and tablet, and HTTP; from this machine only unless a host is "
        "given, and then with a token.")  # fmt: skip
@option("--name", section="Live", metavar="NAME", help="Of this session, for rtsep control.")
@option("--quiet", section="Messages", is_flag=True, help="Nothing but errors.")
@option("--json", "as_json", section="Messages", is_flag=True,
        help="One JSON object a second when live, one at the end of a file.")  # fmt: skip
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, help="Show the version.",
              callback=lambda ctx, param, value: _version(ctx) if value else None)  # fmt: skip
@click.pass_context
def root(ctx: click.Context, /, input_: str | None, check: bool, **options: Any) -> None:
    """Separates music while it is being played: one signal per voice, an exact number of samples later."""
    given = _given(ctx)
    if ctx.invoked_subcommand is not None:
        if given:
            raise RtsepError(
                f"{given[0]} does not go with the command {ctx.invoked_subcommand}",
                f"put options after it: see rtsep {ctx.invoked_subcommand} --help",
            )
        return
    show: ShowFile | None = ctx.obj
    if check and show is None:
        raise RtsepError("--check is for --config", "add --config FILE.toml")
    if show is not None and not check:
        show.require_right()
    if input_ is None and not check:
        if given:
            raise RtsepError(
                "--input is missing", "add --input mic, a device, a file, or - for standard input"
            )
        click.echo(ctx.get_help())
        return
    from rtsep.rt.cli.input_kind import Kind, classify

    for variable, one in ONE_THREAD.items():  # NumPy's libraries read them when they load
        os.environ.setdefault(variable, one)
    # NumPy and the engine load here, so that --help and --version answer at once
    from rtsep.rt.cli.run_offline import check_conflicts, run_offline

    run_options = RunOptions(**options)
    if show is not None:
        from rtsep.rt.cli.show.show_check import check_show

        check_show(show, input_, run_options)
        if check:
            for line in show.faults:
                Messages(sys.stderr).line(one_line(line))
            click.echo("ok") if not show.faults else ctx.exit(EXIT_USER)
            return
        show.require_right()
    named = classify(str(input_))
    check_conflicts(named, run_options)
    if named.kind is Kind.DEVICE:
        from rtsep.rt.cli.run_live import run_live

        ctx.exit(run_live(named, run_options, ctx.command, show))
    ctx.exit(run_offline(named, run_options))


root.add_command(control)


@root.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON list.")
def devices(as_json: bool) -> None:
    """List audio devices with their index, channels and rate."""
    from rtsep.rt.cli.list_devices import device_lines

    for line in device_lines(as_json):
        click.echo(line)


@root.command()
@click.argument("folders", metavar="[FOLDER]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="One JSON list.")
def models(folders: tuple[str, ...], as_json: bool) -> None:
    """List models with their cards, and check their files: those of rtsep, or those in FOLDERs."""
    from rtsep.rt.cli.list_models import model_lines

    for line in model_lines(folders, as_json):
        click.echo(line)


def _given(ctx: click.Context) -> list[str]:
    """Names of the options that stand on the command line."""
    source = click.core.ParameterSource.COMMANDLINE
    named = [p for p in ctx.command.params if p.name and ctx.get_parameter_source(p.name) is source]
    return [parameter.opts[0] for parameter in named]


def _version(ctx: click.Context) -> NoReturn:
    import rtsep

    click.echo(f"rtsep {rtsep.__version__}")
    ctx.exit(0)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Entry point: runs the command and exits; a user's mistake is one line on standard error and code 2."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    return run_group(root, "rtsep", arguments)


def run_group(group: click.Group, name: str, arguments: list[str] | None) -> int:
    """Runs a group of commands as `name` and returns the exit code: what every entry point does."""
    prepare_streams()
    try:
        with marked_stdout():
            code = group.main(arguments, prog_name=name, standalone_mode=False)
        return code if isinstance(code, int) else 0
    except RtsepError as error:
        return _fail(str(error))
    except click.UsageError as error:
        return _fail(f"{error.format_message().rstrip('.')}; see {name} --help")
    except click.ClickException as error:
        return _fail(error.format_message())
    except click.Abort:  # Ctrl-C before or after a run
        return EXIT_CTRL_C
    except Stopped as stopped:
        return stopped.exit_code
    except BrokenPipeError:  # whoever read the answer has seen enough
        return EXIT_BROKEN_PIPE
    except StdoutError as error:
        return _fail(f"standard output cannot be written: {reason(error)}; {remedy(error)}")
    except OSError as error:
        if not isinstance(error.filename, str | bytes):
            raise
        # a path that nobody looked at more closely
        return _fail(f"{os.fsdecode(error.filename)}: {reason(error)}; {remedy(error)}")


def _fail(message: str) -> int:
    Messages(sys.stderr).line(f"rtsep: error: {one_line(message)}")
    return EXIT_USER
