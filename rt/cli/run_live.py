"""A live run from the command line: a session, and a view of its status until someone ends it."""

import signal
import sys
from pathlib import Path
from typing import Any, Self

import click

from rtsep.kernels.errors import RtsepError
from rtsep.models.choir.model import voice_names
from rtsep.rt.audio.disk_errors import reason
from rtsep.rt.audio.score_file import given_score
from rtsep.rt.cli.input_kind import MIC, NamedInput, file_hint
from rtsep.rt.cli.live_screen import View, choose_view, counters_text, json_end
from rtsep.rt.cli.messages import EXIT_USER, Messages
from rtsep.rt.cli.option_types import RunOptions
from rtsep.rt.cli.run_offline import given_parts, given_pitches, model_choice
from rtsep.rt.cli.session_actions import midi_controllers, require_ways_in, session_actions, session_name
from rtsep.rt.cli.show.running_show import RunningShow, first_values
from rtsep.rt.cli.show.show_file import ShowFile
from rtsep.rt.control.command_model import CommandModel
from rtsep.rt.control.commands import BLOCK_BYTES
from rtsep.rt.control.midi.map_file import MapRefused
from rtsep.rt.control.session_file import SavedSession, load_session
from rtsep.rt.control.surfaces import Surfaces
from rtsep.rt.drivers.jack_options import wanted_jack
from rtsep.rt.hop.presets import DEFAULT_LATENCY_MS
from rtsep.rt.live.status import Status
from rtsep.rt.pitches.live_pitches import LivePitches
from rtsep.rt.session import Session
from rtsep.rt.stop import Stopped, StopSignals

EXIT_HOLES = 4


def run_live(
    named: NamedInput, options: RunOptions, command: click.Command, config: ShowFile | None = None
) -> int:
    """Separates until Ctrl-C, `kill` or the end of the engine; returns the exit code.

    Args:
        named: a device.
        options: of the run.
        command: whose options a configuration file holds.
        config: that file, checked; None without one.

    Raises:
        RtsepError: a device, rate or folder that cannot be had, or a fault that ended the run.
    """
    require_ways_in(options.name, options.osc, options.web)
    midi = midi_controllers(options.midi, options.midi_map)
    pitches = _pitches(options)
    restored = options.name if not options.no_restore else None
    saved = SavedSession() if restored is None else load_session(restored)
    begin = first_values(config, saved)
    session = _session(named, options, 0 if pitches is None else pitches.voices, begin)
    with StopSignals() as signals, RecordSignal(session) as record_signal:
        try:
            with signals.interruptible():
                session.start()
                if pitches is not None:
                    pitches.begin(session.memories[1], BLOCK_BYTES)
        except RtsepError as error:
            session.stop()
            hint = "" if named.text == MIC or named.text.isdecimal() else file_hint(named.text)
            told = RtsepError(error.problem, error.remedy + hint)
            _say_json_end(options, Status(state="failed"), EXIT_USER, str(told))
            raise told from error
        except Stopped as stopped:
            session.stop()
            _say_json_end(options, Status(state="stopped"), stopped.exit_code, str(stopped))
            return stopped.exit_code
        code, why, view = 0, "", choose_view(quiet=options.quiet, as_json=options.as_json)
        try:
            show = RunningShow(session, config, command, options.name, saved)
            with view, show, _surfaces(session, options, show, midi) as surfaces:
                for note in (*show.notes, *surfaces.notes):
                    Messages(sys.stderr).offer(f"rtsep: note: {note}")
                for line in surfaces.web.qr if surfaces.web is not None and sys.stderr.isatty() else ():
                    Messages(sys.stderr).line(line)
                ended = False
                while not ended:
                    with signals.interruptible():
                        ended = session.wait(view.period_s)
                    record_signal.obey()
                    if pitches is not None and (fault := pitches.take_fault()):
                        Messages(sys.stderr).offer(f"rtsep: note: {fault}")
                    for news in (*show.take_news(), *surfaces.take_news()):
                        Messages(sys.stderr).offer(f"rtsep: note: {news}")
                    view.update(session.status())
        except Stopped as stopped:
            code, why = stopped.exit_code, str(stopped)
        except MapRefused as refused:
            *others, last = refused.faults
            for fault in others:
                Messages(sys.stderr).offer(f"rtsep: error: {fault}")
            raise RtsepError(last, refused.remedy) from None
        finally:
            session.stop()
            if pitches is not None:
                pitches.stop()
    status = session.status()
    _say_the_end(view, status, options)
    failed = code == 0 and bool(status.last_error)
    if not failed and (status.record_holes or status.record_state in ("held", "failed")):
        code = EXIT_HOLES
    if view.failure is None:
        code_said = EXIT_USER if failed else code
        _say_json_end(options, status, code_said, status.last_error if failed else why)
    if failed:
        problem, _, remedy = status.last_error.partition("; ")
        raise RtsepError(problem, remedy or "start again")
    return code


def _surfaces(
    session: Session, options: RunOptions, show: RunningShow, midi: list[tuple[str, Path]]
) -> Surfaces:
    actions = session_actions(session) | {"reload": lambda _: show.reload()}
    model = CommandModel(session.control, actions, session.snapshot)
    return Surfaces(model, session_name(options.name), options.osc, options.web, session.memories, midi)


def _pitches(options: RunOptions) -> LivePitches | None:
    if options.f0_out is None and options.midi_out is None:
        return None
    choice = model_choice(options)
    choice.names()
    voices = voice_names(choice.voice_count) if choice.parts is None else choice.parts.names
    return LivePitches(voices, options.f0_out, options.midi_out, jack=options.driver == "jack")


def _session(named: NamedInput, options: RunOptions, pitches: int, begin: dict[str, Any]) -> Session:
    score = given_score(options.score, options.transpose)
    for remark in () if score is None else score.remarks:
        Messages(sys.stderr).offer(f"rtsep: note: {remark}")
    return Session(
        voices=options.voices,
        model=options.model,
        latency_ms=DEFAULT_LATENCY_MS if options.latency_ms is None else options.latency_ms,
        input=named.text,
        input_channels=options.input_channels,
        output=options.output_device,
        output_channels=options.output_channels,
        samplerate=options.samplerate,
        blocksize=options.blocksize,
        route=options.route,
        input_mix=options.input_mix,
        allow_feedback=options.yes_feedback,
        record=options.record,
        record_format=options.record_format,
        pre_roll=options.pre_roll,
        f0=given_pitches(options),
        stems=options.stems,
        add_ons=options.add_ons,
        backend=options.backend,
        render=options.render,
        score=score,
        parts=given_parts(options),
        pitches=pitches,
        parameters=begin,
        driver=options.driver,
        jack=wanted_jack(options.jack_name, options.connect, options.no_restore, options.driver),
    )


def _say_json_end(options: RunOptions, status: Status, exit_code: int, reason: str) -> None:
    if options.as_json:
        Messages(sys.stdout).offer(json_end(status, exit_code, reason))


def _say_the_end(view: View, status: Status, options: RunOptions) -> None:
    """Where it can still be said: standard error, if standard output has failed or was left meanwhile."""
    words = last_words(status, options.record)
    if view.failure is not None:
        messages = Messages(sys.stderr)
        failed = reason(view.failure)
        messages.offer(f"rtsep: note: standard output failed ({failed}), the sound went on: {words[0]}")
        words = words[1:] if not options.as_json else []
    else:
        messages = Messages(sys.stdout)
    if not (options.quiet or options.as_json):
        for line in words:
            messages.offer(line)


def last_words(status: Status, record: str | None) -> list[str]:
    """How a run went, and where its take is."""
    seconds = status.frames / status.samplerate if status.samplerate else 0.0
    lines = [f"{seconds:.1f} s, {counters_text(status)}", *status.notes]
    if record is not None and status.samplerate:
        lines.append(take_words(status, record))
    return lines


class RecordSignal:
    """`kill -USR1` starts and stops a take; at the next look, as files are made then."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._came = 0

    def __enter__(self) -> Self:
        self._previous = signal.signal(signal.SIGUSR1, self._remember)
        return self

    def __exit__(self, *exc: object) -> None:
        signal.signal(signal.SIGUSR1, self._previous)

    def _remember(self, *_: object) -> None:
        self._came += 1

    def obey(self) -> None:
        """Starts or stops, once for each signal that came."""
        while self._came:
            self._came -= 1
            try:
                if self._session.snapshot()["record_state"] in ("recording", "held"):
                    self._session.record_stop()
                else:
                    self._session.record_start()
            except RtsepError as error:
                Messages(sys.stderr).offer(f"rtsep: note: {error}")


def take_words(status: Status, record: str) -> str:
    """The last line: how long the take is, and where it has holes."""
    rate = status.samplerate
    if not status.record_take:
        return f"no take in {record}: {status.record_state}"
    line = f"take of {status.record_frames / rate:.1f} s in {status.record_take}: {status.record_state}"
    if not status.record_holes:
        return line + ", without a hole"
    count = f"{status.record_holes} hole{'s' if status.record_holes > 1 else ''}"
    return f"{line}, {count} of {status.record_hole_frames / rate:.3f} s in all: {status.record_holes_text}"
