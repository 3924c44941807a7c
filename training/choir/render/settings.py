"""Every number of the choir renderer, with its unit and its reason.

Ranges are (low, high) and drawn uniformly unless said otherwise; probabilities are shares of 0..1.
"""

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field

from rtsep.kernels.assignments import MAX_VOICES
from rtsep.kernels.errors import RtsepError
from rtsep.training.files.toml_settings import FREE_LENGTH

Range = tuple[float, float]


@dataclass(frozen=True)
class ChoirConfig:
    """What a rendered choir is like. The same config, seed and index give the same item."""

    # --- the item
    item_s: float = 24.0  # long enough for a recurrent state to settle and for phrases to begin and end
    samplerate: int = 24000  # Hz of the result; synthesis runs at the voicebanks' rate, see `render_item`
    # shares of items with 1, 2, 3, 4 voices
    voices: tuple[float, ...] = field(default=(0.15, 0.2, 0.2, 0.45), metadata=FREE_LENGTH)
    peak_dbfs: Range = (-18.0, -1.0)  # of the mixture: real inputs are not normalised

    solo_item: float = 0.25  # share of items of recorded solos, where there are any: no vocoder's habits

    # --- rests: chorales have none, concerts do
    silent_item: float = 0.03  # no voice sings: room, applause or nothing at all
    tutti_item: float = 0.35  # all voices all the time
    entries_item: float = 0.15  # voices come in one after another and leave again
    phrase_voice: float = 0.65  # in all other items, a voice sings in a phrase with this probability
    dropped_note: float = 0.03  # single notes that become rests
    doubling_item: float = 0.15  # one voice takes the notes of another, at the unison or an octave
    random_score_item: float = 0.25  # independent random lines: Bach's voice leading must not be learnt
    tempo_qpm: Range = (56.0, 96.0)  # slow enough for steady pitch, fast enough for eighth-note runs
    transpose_semitones: int = 3  # up to so many up or down
    hummed_phrase: float = 0.12  # closed mouth: few partials
    breathy_phrase: float = 0.12  # aperiodic, soft: what trackers call unvoiced
    vocalise_phrase: float = 0.25  # one vowel throughout, no consonants between notes

    # --- how a singer sings
    # shares of voices sung by 1, 2, 3 singers
    singers: tuple[float, ...] = field(default=(0.65, 0.22, 0.13), metadata=FREE_LENGTH)
    intonation_cents: float = 8.0  # standard deviation per note; trained ensembles: 5..15
    glide_s: Range = (0.07, 0.15)  # between slurred notes
    vibrato_hz: Range = (5.0, 6.2)  # rate: what is heard as vibrato, not as wobble or trill
    vibrato_cents: Range = (15.0, 70.0)  # amplitude; a real quartet wavers by 22..60 (quartiles)
    strong_vibrato_cents: Range = (70.0, 120.0)  # soloists: half of peak to peak, too
    strong_vibrato: float = 0.3  # share of singers of the highest voice that are soloists; others a third
    vibrato_delay_s: Range = (0.15, 0.4)  # notes start straight, vibrato grows
    drift_cents: float = 5.0  # standard deviation of slow wandering below 1 Hz
    jitter_cents: float = 2.5  # standard deviation of fast wandering, about 2..15 Hz
    onset_spread_s: float = 0.018  # standard deviation of a singer's onsets
    breath_s: Range = (0.15, 0.4)  # taken from the last note of a phrase
    envelope_warp: Range = (0.90, 1.12)  # vocal tract lengths beside those of the donors
    tilt_db_per_octave: Range = (-3.0, 2.0)  # above 500 Hz: effort and distance

    # --- the room and the microphone
    gain_db: Range = (-6.0, 6.0)  # of a voice: balances of real quartets lie within
    dry_item: float = 0.15  # no room at all
    wet_db: Range = (-22.0, -2.0)  # energy of the room's response relative to the direct sound
    bleed_db: Range = (-40.0, -25.0)  # late, dull copy of a voice through the other microphones
    noise_db: Range = (-75.0, -35.0)  # room noise relative to the voices
    noiseless_item: float = 0.1  # digital silence between the notes: muted or gated inputs
    applause_item: float = 0.08  # clapping at a random place
    knocks_item: float = 0.1  # steps, coughs, page turns: short bursts
    lowpass_item: float = 0.25  # far or lossy transmission
    lowpass_hz: Range = (3500.0, 10000.0)
    highpass_hz: Range = (20.0, 110.0)  # rumble filters; every item has one

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            if isinstance(value, tuple) and item.metadata != FREE_LENGTH and value[0] > value[1]:
                raise RtsepError(
                    f"{item.name} = {list(value)} runs backwards", "give [low, high] with low <= high"
                )
            if item.name.endswith(("_item", "_phrase", "_note", "_voice")) and not 0.0 <= value <= 1.0:
                raise RtsepError(f"{item.name} = {value} is no probability", "choose 0..1")
        if not 1 <= len(self.voices) <= MAX_VOICES or min(self.voices) < 0 or sum(self.voices) <= 0:
            raise RtsepError(
                f"voices = {list(self.voices)} are no shares of 1..4 voices", "give up to four shares >= 0"
            )
        if not self.singers or min(self.singers) < 0 or sum(self.singers) <= 0:
            raise RtsepError(f"singers = {list(self.singers)} are no shares", "give one share >= 0 or more")
        if len(self.singers) > 15:
            raise RtsepError(f"singers = {list(self.singers)} names sections of more than 15", "name fewer")
        if self.silent_item + self.tutti_item + self.entries_item > 1.0:
            raise RtsepError(
                "silent_item + tutti_item + entries_item exceed 1", "leave room for items of changing voices"
            )
        if not 1.0 <= self.item_s <= 600.0:
            raise RtsepError(f"item_s = {self.item_s} is outside 1..600 s", "choose e.g. 24")
        if not 8000 <= self.samplerate <= 192000:
            raise RtsepError(
                f"samplerate = {self.samplerate} is outside 8000..192000 Hz", "choose e.g. 24000"
            )

    def digest(self) -> str:
        """Names this config in a folder's metadata."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
