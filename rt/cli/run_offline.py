"""From the options of a command line to one run: live, or from a file or pipe to a folder or pipe."""

import json
import os
import sys
from pathlib import Path
from tempfile import gettempdir

from rtsep.kernels.errors import RtsepError
from rtsep.models.build import ModelChoice
from rtsep.models.choir.given_pitches import F0Track
from rtsep.models.choir.parts.parts import Parts
from rtsep.rt.audio.disk_errors import reason, remedy
from rtsep.rt.audio.files import STDIN, FileSource
from rtsep.rt.audio.levels import FLOOR_DB, QUIET_PEAK_DBFS
from rtsep.rt.audio.piped_sound import PipedFile, RawSource, open_sound
from rtsep.rt.audio.pipes import STDOUT, RawFormat, ReaderLeftError, StdoutSink, refuse_terminal
from rtsep.rt.audio.score_file import given_score
from rtsep.rt.audio.stem_folder import FolderSink
from rtsep.rt.both_ways.choice import AUTO, ON, FileEngine, load_for_file
from rtsep.rt.both_ways.separator import BothWays
from rtsep.rt.cli.input_kind import PIPE, Kind, NamedInput
from rtsep.rt.cli.messages import EXIT_BROKEN_PIPE, Messages
from rtsep.rt.cli.option_types import RunOptions
from rtsep.rt.cli.progress import Progress, stopped_note, summary_lines
from rtsep.rt.hop.separates import Separates
from rtsep.rt.offline import RunSummary, Sink, separate
from rtsep.rt.pitches.pitch_outputs import PitchOutputs
from rtsep.rt.stop import Stopped, StopSignals

PITCH_ORDER = "pitch"  # the value of --order that is the default


def check_conflicts(named: NamedInput, options: RunOptions) -> None:
    """Raises RtsepError for options that mean nothing together: silence about them would mislead."""
    live_only = {
        "--output-device": options.output_device,
        "--output-channels": options.output_channels,
        "--samplerate": options.samplerate,
        "--blocksize": options.blocksize,
        "--driver": options.driver,
        "--jack-name": options.jack_name,
        "--connect": options.connect,
        "--no-restore": options.no_restore or None,
        "--route": options.route,
        "--input-mix": options.input_mix,
        "--osc": options.osc,
        "--midi": ", ".join(options.midi) or None,
        "--midi-map": ", ".join(options.midi_map) or None,
        "--web": options.web,
        "--name": options.name,
        "--yes-feedback": "" if options.yes_feedback else None,
        "--record": options.record,
    }
    if named.kind is Kind.DEVICE:
        if options.output is not None:
            raise RtsepError(
                f"--output {options.output} does not go with the live input {named.text!r}",
                "use --record FOLDER to keep a live run, --output-device to choose where it sounds",
            )
        if options.offline is not None:
            raise RtsepError(
                f"--offline {options.offline} does not go with the live input {named.text!r}",
                "leave it out: live sound is decided hop by hop",
            )
        if options.keep_latency:
            raise RtsepError(
                f"--keep-latency does not go with the live input {named.text!r}",
                "leave it out: live sound always has its latency",
            )
    else:
        for name, value in live_only.items():
            if value is not None:
                shown = ",".join(map(str, value)) if isinstance(value, list) else value
                raise RtsepError(
                    f"{name} {shown} is for live input and does not go with --input {named.text}",
                    f"leave out {name}" + (" and use --output FOLDER" if name == "--record" else ""),
                )
        if options.output is None:
            raise RtsepError(
                f"--input {named.text} needs --output",
                "add --output FOLDER, or --output - to pipe the stems on",
            )
    if options.record is None and options.pre_roll:
        raise RtsepError("--pre-roll is for --record", "add --record FOLDER, or leave it out")
    if options.raw is not None and named.kind is not Kind.PIPE:
        raise RtsepError(
            f"--raw {options.raw} describes standard input and --input is {named.text}",
            "use --input - with it, or leave it out",
        )


def given_pitches(options: RunOptions) -> F0Track | None:
    """The pitches of `--f0`, None where there are none.

    Raises:
        RtsepError: a file that cannot be used, or a model without voices.
    """
    return None if options.f0 is None else model_choice(options).pitches(options.f0)


def given_parts(options: RunOptions) -> Parts | None:
    """The parts of `--order`, `--parts` and `--range`, None where stems are in order of pitch.

    Raises:
        RtsepError: parts or ranges of voices in order of pitch, or what `Parts.parse` refuses.
    """
    told = "--parts" if options.parts is not None else "--range" if options.ranges else ""
    if options.order == PITCH_ORDER and told:
        raise RtsepError(
            f"{told} is for parts that cross, and --order is {PITCH_ORDER}", "leave out --order or " + told
        )
    if options.order is None and not told:
        return None
    ranges = dict(text.partition(":")[::2] for text in options.ranges)
    return Parts.parse(options.parts, ranges, options.voices) if options.order != PITCH_ORDER else None


def model_choice(options: RunOptions) -> ModelChoice:
    """Model, voices, stems, add-ons and parts."""
    parts = given_parts(options)
    return ModelChoice(options.model, options.voices, options.stems, options.add_ons, None, parts)


def run_offline(named: NamedInput, options: RunOptions) -> int:
    """Separates a file or standard input; returns the exit code. RtsepError: a mistake or broken input;
    what was separated before stays.
    """
    try:
        return _run_offline(named, options)
    except Stopped as stopped:  # before the first block, or by a second signal
        return stopped.exit_code
    except ReaderLeftError:  # whoever read the stems has enough: nothing to complain about
        os.dup2(os.open(os.devnull, os.O_WRONLY), STDOUT)  # nor for Python's own flush at exit
        return EXIT_BROKEN_PIPE


def _run_offline(named: NamedInput, options: RunOptions) -> int:
    to_pipe = options.output == PIPE
    stream = sys.stderr if to_pipe else sys.stdout
    messages = Messages(stream)
    with StopSignals() as signals:
        with signals.interruptible():  # a pipe may have no writer yet
            reader = _open(named, options)
        try:
            if to_pipe:
                refuse_terminal(reading=False)
            with signals.interruptible():
                f0, score = given_pitches(options), given_score(options.score, options.transpose)
            if f0 is not None and isinstance(reader, FileSource) and reader.frames is not None:
                f0.require_within(reader.frames / reader.samplerate)
            engine = load_for_file(
                options.offline or AUTO,
                options.model,
                voices=options.voices,
                samplerate=reader.samplerate,
                latency_ms=options.latency_ms,
                channels=reader.channels,
                backend=options.backend,
                f0=f0,
                stems=options.stems,
                add_ons=options.add_ons,
                render=options.render,
                score=score,
                parts=given_parts(options),
                streams=_why_it_streams(reader, options),
            )
            reads = (named.text, options.f0 or "")
            pitches = PitchOutputs.opened(engine.separator, options.f0_out, options.midi_out, reads)
            shown = stream if not options.quiet and not options.as_json else None
            with Progress(reader.frames, reader.samplerate, shown, messages) as progress, pitches as tap:
                summary, early = _run(named, options, reader, tap, signals, progress)
        finally:
            reader.close()
    if not summary.frames and early is None:
        raise RtsepError(f"{reader.name} has 0 frames of audio, at least 1 is needed", "check what sends it")
    _tell(summary, engine, [*reader.notes, *(score.remarks if score else ())], options, messages, early)
    if isinstance(early, RtsepError):
        raise early
    if options.as_json and (failure := messages.failure) is not None:
        if isinstance(failure, BrokenPipeError):
            return EXIT_BROKEN_PIPE
        raise RtsepError(
            f"the JSON report cannot be written: {reason(failure)}",
            f"the stems are complete; {remedy(failure)}",
        )
    return early.exit_code if early else 0


def _open(named: NamedInput, options: RunOptions) -> FileSource | PipedFile | RawSource:
    if named.kind is Kind.FILE:
        return open_sound(named.text, options.input_channels)
    refuse_terminal(reading=True)
    if options.raw is not None:
        return RawSource(RawFormat.parse(options.raw), options.input_channels)
    return open_sound(STDIN, options.input_channels)


def _why_it_streams(reader: FileSource | PipedFile | RawSource, options: RunOptions) -> str:
    if not isinstance(reader, FileSource):
        return f"{reader.name} is a pipe, which may never end"
    if options.keep_latency:
        return "--keep-latency is about a latency that both ends do not have"
    # asked for, stems go into a pipe when they are decided
    return "a pipe hears them at once" if options.output == PIPE and options.offline != ON else ""


def _run(
    named: NamedInput,
    options: RunOptions,
    reader: FileSource | PipedFile | RawSource,
    separator: Separates,
    signals: StopSignals,
    progress: Progress,
) -> tuple[RunSummary, Stopped | RtsepError | None]:
    def run(sink: Sink) -> tuple[RunSummary, Stopped | RtsepError | None]:
        return separate(
            reader,
            sink,
            separator,
            signals=signals,
            keep_latency=options.keep_latency,
            on_progress=progress.update,
        )

    if isinstance(separator, BothWays):
        # as the folder of stems is named; `Path.expanduser` fails where no user has the name behind a ~
        folder = gettempdir() if options.output == PIPE else str(options.output)
        separator.folder = Path(os.path.expanduser(folder))
    if options.output == PIPE:
        return run(StdoutSink())
    extra = separator.latency_samples if options.keep_latency else 0
    sink = FolderSink(
        str(options.output),
        separator.stems,
        separator.samplerate,
        separator.channels,
        None if reader.frames is None else reader.frames + extra,
        named.text if named.kind is Kind.FILE else STDIN,
    )
    with sink:
        try:
            return run(sink)
        finally:
            signals.hold()


def _tell(
    summary: RunSummary,
    engine: FileEngine,
    notes: list[str],
    options: RunOptions,
    messages: Messages,
    early: Stopped | RtsepError | None,
) -> None:
    """The summary to `messages`, what the user should know to standard error."""
    notes = [*notes, *engine.notes]
    if summary.nonfinite_samples:
        notes.append(f"{summary.nonfinite_samples} NaN or Inf samples of the input were set to zero")
    if summary.full_scale_samples:
        notes.append(f"{summary.full_scale_samples} input samples at full scale: the input may be clipped")
    if FLOOR_DB < summary.input_peak_dbfs < QUIET_PEAK_DBFS:
        notes.append(
            f"the input peaks at {summary.input_peak_dbfs:.0f} dBFS: below {QUIET_PEAK_DBFS:.0f} dBFS little "
            "is separated, the rest is in the residual; raise its gain"
        )
    if isinstance(early, Stopped):
        notes.append(stopped_note(summary, early))
    if options.as_json:
        stopped = str(early) if early else None
        messages.line(json.dumps({**summary.as_dict(), "notes": notes, "stopped": stopped}))
        return
    if options.quiet:
        return
    for line in summary_lines(summary, options.output, engine.why_live):
        messages.line(line)
    if messages.failure is not None and not isinstance(messages.failure, BrokenPipeError):
        notes.append(f"messages ended early: {reason(messages.failure)}; the stems are complete")
    notices = Messages(sys.stderr)
    for note in notes:
        notices.line(f"rtsep: note: {note}")
