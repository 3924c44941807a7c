"""The assignment of pitches to voices as one Triton kernel, one program instance per stream: what
`TensorTracker` does after its network, which is hundreds of launches as tensor operations.

Every sum is float32 in the order of kernels/src/assignment.cpp, divisions round to nearest and nothing is
contracted to fused multiply-add (`LAUNCH`), so that the same assignment is chosen. Order is found by
counting: the rank of a value is how many are ahead of it, of equals the one further left. Constants stand to
the right of tensors and nothing is taken by `tl.gather`: Triton's interpreter refuses the one, its compiler
the other at these sizes.
"""

import math
from typing import Any

import triton
import triton.language as tl

from rtsep.kernels import _core
from rtsep.models.choir import peak_reading, pitch_grid

_C = _core.PitchAssignment.CONSTANTS
SIZE, PEAKS = tl.constexpr(_core.PitchAssignment.SIZE), tl.constexpr(_core.PitchAssignment.PEAKS)
SILENT_PLACE, ALL_SING = tl.constexpr(_C["SILENT_PLACE"]), tl.constexpr(_C["ALL_SING"])
BONUS, MAX_EMISSION, DOUBT = (tl.constexpr(_C[name]) for name in ("BONUS", "MAX_EMISSION", "DOUBT"))
TOGGLE, STEP, JUMP = (tl.constexpr(_C[name]) for name in ("TOGGLE", "STEP", "JUMP"))
REGISTER_COST, RANGE, MAX_REGISTER_COST = (
    tl.constexpr(_C[name]) for name in ("REGISTER_COST", "RANGE", "MAX_REGISTER_COST")
)
FAMILIAR_S, REGISTER_S = tl.constexpr(_C["FAMILIAR_S"]), tl.constexpr(_C["REGISTER_S"])
LEAST_LOG_ODDS, SAME_VOICE, REPORT_LOG_ODDS, UNISON_LOG_ODDS, JOIN_CENTS, JOIN_S = (
    tl.constexpr(value)
    for value in (
        peak_reading.LEAST_LOG_ODDS,
        peak_reading.SAME_VOICE,
        peak_reading.REPORT_LOG_ODDS,
        peak_reading.UNISON_LOG_ODDS,
        peak_reading.JOIN_CENTS,
        peak_reading.JOIN_S,
    )
)
CANDIDATES, CANDIDATE_CENTS = tl.constexpr(pitch_grid.CANDIDATES), tl.constexpr(pitch_grid.CANDIDATE_CENTS)
LOWEST_CANDIDATE_HZ = tl.constexpr(pitch_grid.LOWEST_CANDIDATE_HZ)
PLACES_PER_OCTAVE = tl.constexpr(1200.0 / pitch_grid.CANDIDATE_CENTS)
OCTAVE = tl.constexpr(math.log(2.0))
# vectors have powers of two as lengths
CANDIDATE_LANES = tl.constexpr(triton.next_power_of_2(pitch_grid.CANDIDATES))
CHOICES = tl.constexpr(triton.next_power_of_2(_core.PitchAssignment.PEAKS + 1))  # silence, then the peaks
# (x + 1.5 * 2**23) - 1.5 * 2**23 is x rounded to the nearest integer, of two to the even one, as torch.round
ROUNDER = tl.constexpr(1.5 * 2.0**23)
# Eight warps: sixteen of a stream's 8 x 512 sums to a thread.
LAUNCH: dict[str, Any] = {"num_warps": 8, "enable_fp_fusion": False}


@triton.jit
def _finite(x):
    return tl.abs(x) < float("inf")


@triton.jit
def _likely(log_odds):
    return tl.div_rn(1.0, 1.0 + tl.exp(-log_odds))


@triton.jit
def _pitch_of(offset, candidate, there, step):
    """Where a candidate places its pitch; NaN stays NaN."""
    by = tl.load(offset + candidate * step, mask=there, other=0.0)
    return candidate.to(tl.float32) + tl.where(by < -1.0, -1.0, tl.where(by > 1.0, 1.0, by))


@triton.jit
def _peaks(salience, offset, step):
    """`tensor_tracker.peaks` of a stream: place and log odds [CHOICES], from choice 1 on, and how many."""
    c = tl.arange(0, CANDIDATE_LANES)
    inner = (c > 0) & (c < CANDIDATES - 1)
    lowest = float("-inf")
    here = tl.load(salience + c * step, mask=inner, other=lowest)
    left = tl.load(salience + (c - 1) * step, mask=inner, other=lowest)
    right = tl.load(salience + (c + 1) * step, mask=inner, other=lowest)
    rising = inner & (here > left) & (here >= right) & (here > LEAST_LOG_ODDS)
    height = tl.where(rising, here, lowest)
    ahead = height[None, :] > height[:, None]
    ahead = ahead | ((height[None, :] == height[:, None]) & (c[None, :] < c[:, None]))
    kept = rising & (tl.sum(ahead.to(tl.int32), 1) < PEAKS) & _finite(here)
    count = tl.sum(kept.to(tl.int32), 0)

    at = _pitch_of(offset, c, inner, step)
    at_left, at_right = _pitch_of(offset, c - 1, inner, step), _pitch_of(offset, c + 1, inner, step)
    share_left = tl.where(tl.abs(at_left - at) < SAME_VOICE, _likely(left), 0.0)
    share = tl.where(tl.abs(at - at) < SAME_VOICE, _likely(here), 0.0)
    share_right = tl.where(tl.abs(at_right - at) < SAME_VOICE, _likely(right), 0.0)
    weighted = share_left * at_left + share * at + share_right * at_right
    middle = tl.div_rn(weighted, share_left + share + share_right)
    middle = tl.where(middle < 0.0, 0.0, middle)  # a negative place would mean silence

    higher = kept[None, :] & (c[None, :] >= c[:, None])
    choice = tl.where(kept, tl.sum(higher.to(tl.int32), 1), 0)  # the highest pitch is choice 1
    slot = kept[None, :] & (choice[None, :] == tl.arange(0, CHOICES)[:, None])
    place = tl.sum(tl.where(slot, middle[None, :], 0.0), 1)
    return place, tl.sum(tl.where(slot, here[None, :], 0.0), 1), count


@triton.jit
def _emission(log_odds):
    """Emission score of a peak, the same for every voice."""
    odds = tl.where(_finite(log_odds), log_odds, 0.0)
    return tl.minimum(tl.where(odds < 0.0, odds * DOUBT, odds) + BONUS, MAX_EMISSION)


@triton.jit
def _choice_scores(sings, place, emission, now, centre, observed):
    """What one voice adds to the score of every assignment, from every hypothesis [SIZE, ASSIGNMENTS]."""
    sounding = (now >= 0.0)[:, None]
    glide = tl.minimum(tl.abs(place[None, :] - now[:, None]) * STEP, JUMP)
    transition = tl.where(sounding, glide, TOGGLE)
    away = tl.div_rn(place[None, :] - centre[:, None], RANGE)
    familiar = tl.minimum(tl.div_rn(observed, FAMILIAR_S), 1.0)[:, None]
    register_cost = familiar * tl.minimum((away * away) * REGISTER_COST, MAX_REGISTER_COST)
    silence = tl.where(sounding, -TOGGLE, 0.0)
    return tl.where(sings[None, :], (emission[None, :] - transition) - register_cost, silence)


@triton.jit
def _taken(x, at):
    """x[at] for short vectors, 0 beyond its ends: a sum of one value and zeros."""
    lane = tl.arange(0, x.shape[0])
    return tl.sum(tl.where(at[:, None] == lane[None, :], x[None, :], 0), 1)


@triton.jit
def assign_pitches(
    salience,
    offset,
    unison,
    hops,
    f0_hz,
    confident,
    own_hz,
    silent_s,
    sung,
    register_centre,
    observed_s,
    score,
    assignments,
    hops_after,
    f0_hz_after,
    confident_after,
    own_hz_after,
    silent_s_after,
    sung_after,
    register_centre_after,
    observed_s_after,
    score_after,
    of_stream,
    of_candidate,
    VOICES: tl.constexpr,
    LANES: tl.constexpr,
    ASSIGNMENTS: tl.constexpr,
    HOP_S: tl.constexpr,
    MEMORY: tl.constexpr,
    STRIDE: tl.constexpr,
):
    """One step of one stream, see `fused_tracker.assign_pitches`.

    salience, offset and unison are read `of_stream` and `of_candidate` apart, all else is contiguous;
    assignments int32 [VOICES, ASSIGNMENTS] of choices (0 = silence), padded with choices that no stream has.
    """
    stream = tl.program_id(0)
    salience += stream * of_stream
    offset += stream * of_stream
    unison += stream * of_stream
    hop = tl.load(hops + stream) + 1
    tl.store(hops_after + stream, hop)
    looks = hop % STRIDE == 0
    place, log_odds, count = _peaks(salience, offset, of_candidate)
    emission = _emission(log_odds)

    # from every hypothesis, every assignment
    h = tl.arange(0, SIZE)
    w = tl.arange(0, ASSIGNMENTS)
    lowest = float("-inf")
    old_score = tl.load(score + stream * SIZE + h)
    hypotheses = tl.min(tl.where(_finite(old_score), SIZE, h), 0)
    lost = hypotheses == 0
    past = MEMORY * tl.where(lost & (h == 0), 0.0, old_score)
    alive = h < tl.where(lost, 1, hypotheses)
    needed = tl.zeros([ASSIGNMENTS], tl.int32)
    all_sing = w >= 0
    for voice in range(VOICES):
        choice = tl.load(assignments + voice * ASSIGNMENTS + w)
        needed = tl.maximum(needed, choice)
        all_sing = all_sing & (choice > 0)
    total = tl.where(all_sing[None, :], past[:, None] + ALL_SING, past[:, None])
    for voice in range(VOICES):
        of_voice = (stream * SIZE + h) * VOICES + voice
        now = tl.where(lost, SILENT_PLACE, tl.load(sung + of_voice))
        centre = tl.where(lost, 0.0, tl.load(register_centre + of_voice))
        observed = tl.where(lost, 0.0, tl.load(observed_s + of_voice))
        choice = tl.load(assignments + voice * ASSIGNMENTS + w)
        at, emitted = _taken(place, choice), _taken(emission, choice)
        total = total + _choice_scores(choice > 0, at, emitted, now, centre, observed)
    usable = (needed <= count)[None, :] & alive[:, None] & _finite(total)
    best, parent = tl.max(tl.where(usable, total, lowest), 0, return_indices=True)

    # the best assignments become the hypotheses
    value = tl.full([SIZE], lowest, tl.float32)
    assignment = tl.zeros([SIZE], tl.int32)
    for k in range(SIZE):
        most, index = tl.max(best, 0, return_indices=True)
        value = tl.where(h == k, most, value)
        assignment = tl.where(h == k, index, assignment)
        best = tl.where(w == index, lowest, best)
    kept = _finite(value)
    top = tl.max(value, 0)
    new_score = tl.where(kept, value - top, lowest)
    tl.store(score_after + stream * SIZE + h, tl.where(looks, new_score, old_score))
    together = kept
    for voice in range(VOICES):
        together = together & (tl.load(assignments + voice * ASSIGNMENTS + assignment) > 0)
    row = _taken(parent, assignment)
    for voice in range(VOICES):
        choice = tl.load(assignments + voice * ASSIGNMENTS + assignment)
        of_voice = (stream * SIZE + h) * VOICES + voice
        of_parent = (stream * SIZE + row) * VOICES + voice
        inherited = kept & (not lost)
        centre = tl.load(register_centre + of_parent, mask=inherited, other=0.0)
        observed = tl.load(observed_s + of_parent, mask=inherited, other=0.0)
        at = _taken(place, choice)
        longer = tl.minimum(observed + HOP_S, REGISTER_S)
        learnt = centre + tl.div_rn(HOP_S, longer) * (at - centre)
        now = tl.where(kept & (choice > 0), at, SILENT_PLACE)
        tl.store(sung_after + of_voice, tl.where(looks, now, tl.load(sung + of_voice)))
        centre = tl.where(together, learnt, centre)
        tl.store(
            register_centre_after + of_voice, tl.where(looks, centre, tl.load(register_centre + of_voice))
        )
        observed = tl.where(together, longer, observed)
        tl.store(observed_s_after + of_voice, tl.where(looks, observed, tl.load(observed_s + of_voice)))

    # the pitches of the best hypothesis
    v = tl.arange(0, LANES)
    exists = v < VOICES
    of_lane = stream * VOICES + v
    winner = tl.sum(tl.where(h == 0, assignment, 0), 0)
    choice = tl.load(assignments + v * ASSIGNMENTS + winner, mask=exists, other=0)
    choice = tl.where(_finite(top), choice, 0)
    sounds = choice > 0
    at = _taken(place, choice)
    hz = tl.where(sounds, tl.exp(at * (OCTAVE / PLACES_PER_OCTAVE)) * LOWEST_CANDIDATE_HZ, 0.0)
    certain = sounds & (_taken(log_odds, choice) >= REPORT_LOG_ODDS)
    old_own = tl.load(own_hz + of_lane, mask=exists, other=0.0)
    old_silent = tl.load(silent_s + of_lane, mask=exists, other=0.0)
    own = tl.where(sounds, hz, old_own)
    silent = tl.where(sounds, 0.0, tl.minimum(old_silent + HOP_S, 2.0 * JOIN_S))
    tl.store(own_hz_after + of_lane, tl.where(looks, own, old_own), mask=exists)
    tl.store(silent_s_after + of_lane, tl.where(looks, silent, old_silent), mask=exists)

    # a silent voice joins a neighbour: see `NetworkTracker`
    last = tl.where(silent <= JOIN_S, own, 0.0)
    has_last = last > 0.0
    octaves = tl.log2(tl.div_rn(tl.where(has_last, last, LOWEST_CANDIDATE_HZ), LOWEST_CANDIDATE_HZ))
    last_place = octaves * PLACES_PER_OCTAVE
    nearest = tl.minimum(tl.maximum((at + ROUNDER) - ROUNDER, 0.0), CANDIDATES - 1.0).to(tl.int32)
    two_there = tl.load(unison + nearest * of_candidate, mask=sounds, other=lowest) >= UNISON_LOG_ODDS
    doubled = (certain & two_there).to(tl.int32)
    above = exists & (v > 0) & (hz == 0.0)  # silent voices with a neighbour above, and below
    below = (v + 1 < VOICES) & (hz == 0.0)
    hz_above, hz_below = _taken(hz, v - 1), _taken(hz, v + 1)
    above = above & (hz_above > 0.0)
    below = below & (hz_below > 0.0)
    # one unison is one voice too few: the first that may join it does, and no other
    twice_above = above & (_taken(doubled, v - 1) > 0)
    twice_below = below & (_taken(doubled, v + 1) > 0)
    turn = tl.where(twice_above, 2 * v, tl.where(twice_below, 2 * v + 1, 2 * LANES))
    first = tl.min(turn, 0)
    twice_above = twice_above & (2 * v == first)
    twice_below = twice_below & (2 * v + 1 == first)
    cents_above = tl.abs(_taken(at, v - 1) - last_place) * CANDIDATE_CENTS
    cents_below = tl.abs(_taken(at, v + 1) - last_place) * CANDIDATE_CENTS
    near_above = above & has_last & (cents_above < JOIN_CENTS)
    to_beat = tl.where(near_above, cents_above, JOIN_CENTS)
    near_below = below & has_last & (cents_below < to_beat) & (twice_above == 0)
    hz = tl.where(near_above | twice_above, hz_above, hz)
    hz = tl.where(near_below | twice_below, hz_below, hz)
    certain = certain | twice_above | twice_below
    old_hz = tl.load(f0_hz + of_lane, mask=exists, other=0.0)
    old_confident = tl.load(confident + of_lane, mask=exists, other=0) != 0
    tl.store(f0_hz_after + of_lane, tl.where(looks, hz, old_hz), mask=exists)
    tl.store(confident_after + of_lane, tl.where(looks, certain, old_confident), mask=exists)
