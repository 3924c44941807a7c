"""Mixtures to train on: coherent songs, and stems of different songs mixed at random.

Every row of a batch is one mixture of four stems and, where a database does not tell something apart, a rest.
One draw takes one database; the stems that it has say which decoders learn from the row.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from rtsep.kernels.errors import RtsepError
from rtsep.training.band.excerpts import PART_OF, StemPool, cut, excerpt, pick, weight
from rtsep.training.band.mixture_settings import CEILING_HZ, F32, KNOTS, MixtureSettings, Row
from rtsep.training.choir.render.room import draw_response
from rtsep.training.databases.stem_folder import Manifest, Song, StemFolder
from rtsep.training.seeds import generator

ROOMS = 40  # drawn once: a new room for every stem would take longer than the rest of a row


@dataclass
class Mixer:
    """Draws rows.

    Args:
        databases: to draw from.
        stems: of the model, in order.
        settings: what mixtures are like.
        held_out: draws from the songs that only validate.
        beside: stems that are not the model's, to mix its stems with.
    """

    databases: Sequence[StemFolder]
    stems: Sequence[str]
    settings: MixtureSettings
    held_out: bool = False
    beside: Sequence[str] = ()
    _pools: dict[str, StemPool] = field(init=False)
    _coherent: list[tuple[float, StemFolder]] = field(init=False)
    _rooms: list[F32] = field(init=False)

    def __post_init__(self) -> None:
        songs = [(database, self._songs(database)) for database in self.databases]
        self._pools = {stem: StemPool(songs, stem) for stem in (*self.stems, *self.beside)}
        self._coherent = [
            (weight(self._songs(d)), d)
            for d in self.databases
            if d.manifest.coherent and self._songs(d) and self._told_apart(d.manifest)
        ]
        self._rooms = [draw_response(generator(0, "rooms", k)).taps for k in range(ROOMS)]
        missing = [stem for stem, pool in self._pools.items() if not len(pool)]
        if missing:
            raise RtsepError(
                f"no database knows {', '.join(missing)}"
                + (" in a song that is held out" if self.held_out else ""),
                "name more databases with --data, or fewer stems",
            )

    def row(self, rng: np.random.Generator, samples: int, skip: int, stem: str | None = None) -> Row:
        """One mixture.

        Args:
            rng: chooses; the same numbers give the same mixture, whatever `skip` is.
            samples: length.
            skip: samples of the mixture that are passed over: where an item goes on.
            stem: must be known in it; any if None.
        """
        coherent = [(w, d) for w, d in self._coherent if stem is None or stem in self._told_apart(d.manifest)]
        if coherent and rng.random() >= self.settings.random_share:
            return self._from_song(rng, samples, skip, pick(coherent, rng))
        return self._at_random(rng, samples, skip)

    def _at_random(self, rng: np.random.Generator, samples: int, skip: int) -> Row:
        wanted_db = self._levels(rng)
        sources = np.zeros((len(self.stems) + 1, samples), np.float32)
        limit_hz = np.inf
        for place, stem in enumerate(self.stems):
            absent = rng.random() < _at(self.settings.absent, place)
            chosen = self._pools[stem].draw(rng)
            sound = excerpt(chosen, rng, samples, skip, self._speed(rng, stem))
            if not absent:
                sources[place] = sound * 10.0 ** (wanted_db[place] / 20.0)
                limit_hz = min(limit_hz, chosen.manifest.limit_hz)
        for stem, level_db in zip(self.beside, self._levels(rng, self.beside), strict=True):
            chosen = self._pools[stem].draw(rng)
            sound = excerpt(chosen, rng, samples, skip, self._speed(rng))
            sources[-1] += sound * np.float32(10.0 ** (level_db / 20.0))
        return self._finished(rng, sources, np.ones(len(self.stems), np.bool_), limit_hz, samples, skip)

    def _from_song(self, rng: np.random.Generator, samples: int, skip: int, database: StemFolder) -> Row:
        songs = self._songs(database)
        song = songs[int(rng.integers(len(songs)))]
        manifest = database.manifest
        known = np.array([stem in self._told_apart(manifest) for stem in self.stems])
        speed = self._speed(rng)
        start = int(rng.integers(max(1, song.samples - round(speed * (samples + skip)))))
        sources = np.zeros((len(self.stems) + 1, samples), np.float32)
        levels_db = self._levels(rng)
        as_recorded = rng.random() < 0.5
        wobble_db = rng.normal(0.0, 3.0, len(self.stems) + 1)
        anchor_db = max(song.levels_dbfs.values())
        taken: set[str] = set()
        for place, stem in enumerate(self.stems):
            files = [
                f for f in song.files if f == stem or (PART_OF.get(f) == stem and stem in manifest.known)
            ]
            if not known[place] or not files:
                continue
            taken.update(files)
            level_db = max(song.levels_dbfs[f] for f in files)
            gain_db = -anchor_db + wobble_db[place] if as_recorded else levels_db[place] - level_db
            sound = sum(cut(song.files[f], start, skip, samples, speed) for f in files)
            sources[place] = sound * np.float32(10.0 ** (gain_db / 20.0))
        for name in set(song.files) - taken:
            gain_db = -anchor_db + (wobble_db[-1] if as_recorded else 0.0)
            sources[-1] += cut(song.files[name], start, skip, samples, speed) * np.float32(
                10.0 ** (gain_db / 20.0)
            )
        limit_hz = manifest.limit_hz
        borrows = rng.random() < self.settings.borrowed_vocals
        sung = "vocals" in manifest.rest or any("vocals" in s.files for s in songs)
        if "vocals" in self.stems and borrows and not sung:
            place = list(self.stems).index("vocals")
            chosen = self._pools["vocals"].draw(rng)
            sound = excerpt(chosen, rng, samples, skip, self._speed(rng, "vocals"))
            # a database that does not tell vocals apart has them in its rest
            sources[place if known[place] else -1] += sound * np.float32(10.0 ** (levels_db[place] / 20.0))
            limit_hz = min(limit_hz, chosen.manifest.limit_hz)
        return self._finished(rng, sources, known, limit_hz, samples, skip)

    def _finished(
        self, rng: np.random.Generator, sources: F32, known: NDArray[np.bool_], limit_hz: float,
        samples: int, skip: int,
    ) -> Row:  # fmt: skip
        """Backing vocals, drive, equalisers, polarity, level."""
        settings = self.settings
        for place, stem in enumerate(self.stems):
            backed, driven, flipped = rng.random(3)
            amount = rng.uniform(1.0, 6.0)
            if stem == "vocals" and backed < settings.backing_share and known[place]:
                chosen = self._pools[stem].draw(rng)
                second = excerpt(chosen, rng, samples, skip, self._speed(rng, stem))
                if np.any(sources[place]):
                    level_db = rng.uniform(-12.0, -2.0)
                    rms = float(np.sqrt(np.mean(sources[place] ** 2)))
                    sources[place] += second * np.float32(rms * 10.0 ** (level_db / 20.0))
                    limit_hz = min(limit_hz, chosen.manifest.limit_hz)
            if driven < _at(settings.driven, place):
                # relative to the RMS, so that the distortion does not depend on where an item is cut
                rms = float(np.sqrt(np.mean(sources[place] ** 2))) + 1e-9
                knee = np.float32(4.0 * rms / amount)
                sources[place] = knee * np.tanh(sources[place] / knee)
            if flipped < 0.5:
                sources[place] *= -1.0
            wet, wet_db = rng.random(), rng.uniform(*settings.wet_db)
            tail = self._rooms[int(rng.integers(len(self._rooms)))]
            if wet < _at(settings.wet, place):
                sources[place] += (
                    np.float32(10.0 ** (wet_db / 20.0)) * fftconvolve(sources[place], tail)[:samples]
                )
        curves_db = rng.uniform(-1.0, 1.0, (len(sources), KNOTS)).astype(np.float32) * np.float32(
            settings.equaliser_db
        )
        cuts_hz = self._cuts(rng)
        gain_db = settings.quietest_dbfs + rng.uniform(-settings.gain_db, settings.gain_db)
        sources *= np.float32(10.0 ** (gain_db / 20.0))
        ceiling_hz = CEILING_HZ if rng.random() < settings.low_passed else np.inf
        return Row(sources, known, curves_db, cuts_hz, min(limit_hz, ceiling_hz), ceiling_hz)

    def _cuts(self, rng: np.random.Generator) -> F32:
        """float32 [stems + 1, 2]: see `Row.cuts_hz`."""
        settings = self.settings

        def drawn(between_hz: tuple[float, float]) -> float:
            return float(np.exp(rng.uniform(*np.log(between_hz))))

        cuts_hz = np.array([[0.0, np.inf]] * (len(self.stems) + 1), np.float32)
        for place, stem in enumerate(self.stems):
            between_hz = settings.low_cut_bass_hz if stem == "bass" else settings.low_cut_hz
            cut, at_hz = rng.random(), drawn(between_hz)
            if cut < _at(settings.low_cut, place):
                cuts_hz[place, 0] = at_hz
            cut, at_hz = rng.random(), drawn(settings.high_cut_bass_hz)
            if stem == "bass" and cut < settings.high_cut_bass:
                cuts_hz[place, 1] = at_hz
            thin, band_hz = rng.random(), (drawn(settings.thin_low_cut_hz), drawn(settings.thin_high_cut_hz))
            if stem == "vocals" and thin < settings.thin_vocals:
                cuts_hz[place] = band_hz
        return cuts_hz

    def _levels(self, rng: np.random.Generator, stems: Sequence[str] | None = None) -> F32:
        """dB re the mixture, of every stem: from levels against the rest of real multitracks, or equal."""
        settings, stems = self.settings, self.stems if stems is None else stems
        if rng.random() < settings.balanced_share:
            return rng.normal(-6.0, settings.balanced_spread_db, len(stems)).astype(np.float32)
        out = []
        for stem in stems:
            mean_db, spread_db = getattr(settings, f"level_{stem}_db", (-6.0, 5.0))
            ratio = 10.0 ** (rng.normal(mean_db, spread_db) / 10.0)
            out.append(10.0 * np.log10(ratio / (1.0 + ratio)))
        return np.asarray(out, np.float32)

    def _speed(self, rng: np.random.Generator, stem: str | None = None) -> float:
        between = self.settings.speed_vocals if stem == "vocals" else self.settings.speed
        changed, speed = rng.random(), float(rng.uniform(*between))
        return speed if changed < self.settings.changed_speed else 1.0

    def _songs(self, database: StemFolder) -> list[Song]:
        return database.held_out if self.held_out else database.songs

    def _told_apart(self, manifest: Manifest) -> set[str]:
        """Stems of the model that a database's coherent songs tell apart."""
        return set(manifest.known) & set(self.stems)


def _at(shares: Sequence[float], place: int) -> float:
    """Of a stem; of one beyond the four that settings name, as of the last of them."""
    return shares[min(place, len(shares) - 1)]
