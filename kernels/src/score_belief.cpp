// Where in a score a choir may be: one step of the hidden Markov model of models/choir/score/belief.py, with time and
// against it.
//
// States are (tempo, cell of the score), tempo 0 being a standstill, and "lost", which remembers the cell it was lost
// at. With time: states move on, then are weighed by what was heard. Against time: what is heard later is weighed, then
// taken back to the states it may come from, the transpose of the same step.
#include <algorithm>
#include <vector>

#include "checks.hpp"

namespace {

constexpr float kLeast = 1e-30f;  // of what is believed in all: less is impossible

// Shares of a step, in this order in `rates`: of those that stay found, stay lost, go on walking, go on standing, keep
// their tempo; and of those that come back, how many where they were lost.
struct Rates {
    float staying, missing, walking, standing, even, home;
    explicit Rates(const f32& rates) {
        const float* r = rates.data();
        staying = r[0], missing = r[1], walking = r[2], standing = r[3], even = r[4], home = r[5];
    }
    float neighbour() const { return 0.5f * walking * (1.0f - even); }
    // The first and the last tempo have one neighbour; who would go beyond stays.
    float same(int row, int tempos) const {
        return walking * even + neighbour() * static_cast<float>((row == 1) + (row == tempos - 1));
    }
};

// How far a tempo moves: whole cells, and the share that goes one further.
struct Move {
    int whole;
    float part;
    Move(float step, int cells) : whole(std::min(static_cast<int>(step), cells - 1)) {
        part = step - static_cast<float>(static_cast<int>(step));
    }
};

RTSEP_CLONES void mix(const float* a, const float* below, const float* above, const float* stand, const float* arriving,
                      float same, float next, float start, float tempo, float staying, int cells, float* out) {
    for (int c = 0; c < cells; ++c)
        out[c] = staying * (same * a[c] + next * (below[c] + above[c]) + start * stand[c]) + tempo * arriving[c];
}

RTSEP_CLONES void shift_and_weigh(const float* from, const float* likelihood, Move move, int cells, float* out) {
    const int w = move.whole;
    const float part = move.part, rest = 1.0f - part;
    std::fill(out, out + w, 0.0f);
    out[w] = rest * from[0] * likelihood[w];
    for (int c = w + 1; c < cells; ++c) out[c] = (rest * from[c - w] + part * from[c - w - 1]) * likelihood[c];
    float left = part * from[cells - w - 1];  // what passes the end stays in the last cell
    for (int c = cells - w; c < cells; ++c) left += from[c];
    out[cells - 1] += left * likelihood[cells - 1];
}

RTSEP_CLONES void add(const float* from, float share, int cells, float* to) {
    for (int c = 0; c < cells; ++c) to[c] += share * from[c];
}

RTSEP_CLONES void scale(float* values, float by, int cells) {
    for (int c = 0; c < cells; ++c) values[c] *= by;
}

double sum(const float* values, int count) {
    double parts[8] = {};
    int c = 0;
    for (; c + 8 <= count; c += 8)
        for (int k = 0; k < 8; ++k) parts[k] += static_cast<double>(values[c + k]);
    for (; c < count; ++c) parts[0] += static_cast<double>(values[c]);
    double all = 0.0;
    for (const double part : parts) all += part;
    return all;
}

void check(const f32& here, const f32& lost, const f32& scratch, const f32& tempo, const f32& step, const f32& rates,
           const f32& likelihood, py::ssize_t layers, py::ssize_t tempos, py::ssize_t cells) {
    require(layers >= 1 && tempos >= 2 && cells >= 1, "score belief: no layer, no tempo or no cell");
    require_shape(here, "here", {layers, tempos, cells});
    require_shape(scratch, "scratch", {layers, tempos, cells});
    require_shape(lost, "lost", {layers, cells});
    require_shape(likelihood, "likelihood", {layers, cells});
    require_shape(tempo, "tempo", {tempos});
    require_shape(step, "step", {tempos});
    require_shape(rates, "rates", {6});
    for (py::ssize_t r = 0; r < tempos; ++r) require_range(step.data()[r], 0.0, 1e6, "step");
}

// here [layers, tempos, cells], lost [layers, cells]: changed; scratch: as here, overwritten; tempo [tempos]: of those
// that begin to walk or come back; step [tempos]: cells that each moves; likelihood [layers, cells], unknown [layers]:
// of what was heard, at each cell and lost. Written: rows [layers, tempos], the sums of here over cells, and position
// [cells], that of layer 0 over tempos. False where all is impossible: the caller begins anew.
bool forward(f32 here, f32 lost, f32 scratch, f32 tempo, f32 step, f32 rates, f32 likelihood, f32 unknown, f32 rows,
             f32 position) {
    require_dims(here, "here", 3);
    const auto layers = here.shape(0), tempos = here.shape(1), cells = here.shape(2);
    check(here, lost, scratch, tempo, step, rates, likelihood, layers, tempos, cells);
    require_shape(unknown, "unknown", {layers});
    require_shape(rows, "rows", {layers, tempos});
    require_shape(position, "position", {cells});
    const Rates rate(rates);
    const int count = static_cast<int>(cells), rows_n = static_cast<int>(tempos);
    float *sums = rows.mutable_data(), *where = position.mutable_data();
    const float *t = tempo.data(), *moves = step.data();
    py::gil_scoped_release nogil;
    double total = 0.0;
    for (py::ssize_t l = 0; l < layers; ++l) {
        float *h = here.mutable_data() + l * tempos * cells, *next = scratch.mutable_data() + l * tempos * cells;
        float* gone = lost.mutable_data() + l * cells;
        const float *likely = likelihood.data() + l * cells, odd = unknown.data()[l];
        // the first row of scratch serves as what comes back, until the standstill needs it last
        float* arriving = next;
        const float back = (1.0f - rate.missing) * static_cast<float>(sum(gone, count));
        const float anywhere = (1.0f - rate.home) * back / static_cast<float>(count);
        for (int c = 0; c < count; ++c) arriving[c] = rate.home * (1.0f - rate.missing) * gone[c] + anywhere;
        for (int r = 1; r < rows_n; ++r) {
            const float* row = h + r * count;
            const bool first = r == 1, last = r == rows_n - 1;
            // a neighbour that is not there is counted in `same`; its place is taken by silence
            const float start = (1.0f - rate.standing) * t[r], side = rate.neighbour();
            float* out = next + r * count;
            if (first || last) {
                for (int c = 0; c < count; ++c) {
                    const float beside = (first ? 0.0f : row[c - count]) + (last ? 0.0f : row[c + count]);
                    out[c] = rate.staying * (rate.same(r, rows_n) * row[c] + side * beside + start * h[c]) + t[r] * arriving[c];
                }
            } else {
                mix(row, row - count, row + count, h, arriving, rate.same(r, rows_n), side, start, t[r], rate.staying, count, out);
            }
        }
        scale(gone, rate.missing, count);
        for (int r = 0; r < rows_n; ++r) add(h + r * count, 1.0f - rate.staying, count, gone);
        scale(gone, odd, count);
        total += sum(gone, count);
        float* stand = next;  // arriving is not needed any more: nobody comes back standing
        for (int c = 0; c < count; ++c) stand[c] = rate.standing * h[c];
        for (int r = 1; r < rows_n; ++r) add(h + r * count, 1.0f - rate.walking, count, stand);
        for (int c = 0; c < count; ++c) h[c] = rate.staying * stand[c] * likely[c];
        for (int r = 1; r < rows_n; ++r) shift_and_weigh(next + r * count, likely, Move(moves[r], count), count, h + r * count);
        for (int r = 0; r < rows_n; ++r) {
            const double all = sum(h + r * count, count);
            sums[l * tempos + r] = static_cast<float>(all);
            total += all;
        }
    }
    if (!(total > kLeast)) return false;
    const float by = static_cast<float>(1.0 / total);
    scale(here.mutable_data(), by, static_cast<int>(layers * tempos * cells));
    scale(lost.mutable_data(), by, static_cast<int>(layers * cells));
    scale(sums, by, static_cast<int>(layers * tempos));
    std::fill(where, where + count, 0.0f);
    for (int r = 0; r < rows_n; ++r) add(here.data() + r * count, 1.0f, count, where);
    return true;
}

// Against time, one layer: here [1, tempos, cells] and lost [1, cells] hold how likely what is heard later than a moment
// is from each state at it, and go to the moment before it. What was heard at the moment itself is weighed here. The
// largest becomes 1; False where all is impossible.
bool backward(f32 here, f32 lost, f32 scratch, f32 tempo, f32 step, f32 rates, f32 likelihood, float unknown) {
    require_dims(here, "here", 3);
    const auto tempos = here.shape(1), cells = here.shape(2);
    check(here, lost, scratch, tempo, step, rates, likelihood, 1, tempos, cells);
    const Rates rate(rates);
    const int count = static_cast<int>(cells), rows_n = static_cast<int>(tempos);
    float *h = here.mutable_data(), *gone = lost.mutable_data(), *s = scratch.mutable_data();
    const float *t = tempo.data(), *moves = step.data(), *likely = likelihood.data();
    py::gil_scoped_release nogil;
    scale(gone, unknown, count);
    for (int r = 0; r < rows_n; ++r) {
        float *row = h + r * count, *from = s + r * count;
        for (int c = 0; c < count; ++c) row[c] *= likely[c];
        const Move move(r ? moves[r] : 0.0f, count);
        const int inside = count - move.whole - 1;
        for (int c = 0; c < inside; ++c)
            from[c] = (1.0f - move.part) * row[c + move.whole] + move.part * row[c + move.whole + 1];
        for (int c = std::max(inside, 0); c < count; ++c) from[c] = row[count - 1];
    }
    // row 0 of here serves for the mean of the tempos: its new value comes last
    float* mean = h;
    std::fill(mean, mean + count, 0.0f);
    for (int r = 1; r < rows_n; ++r) add(s + r * count, t[r], count, mean);
    for (int r = 1; r < rows_n; ++r) {
        const bool first = r == 1, last = r == rows_n - 1;
        const float *row = s + r * count, same = rate.same(r, rows_n), side = rate.neighbour();
        float* out = h + r * count;
        for (int c = 0; c < count; ++c) {
            const float beside = (first ? 0.0f : row[c - count]) + (last ? 0.0f : row[c + count]);
            out[c] = rate.staying * ((1.0f - rate.walking) * s[c] + same * row[c] + side * beside) + (1.0f - rate.staying) * gone[c];
        }
    }
    const float anywhere = (1.0f - rate.home) * static_cast<float>(sum(mean, count)) / static_cast<float>(count);
    float most = 0.0f;
    for (int c = 0; c < count; ++c) {
        const float before = gone[c];
        gone[c] = rate.missing * before + (1.0f - rate.missing) * (rate.home * mean[c] + anywhere);
        h[c] = rate.staying * (rate.standing * s[c] + (1.0f - rate.standing) * mean[c]) + (1.0f - rate.staying) * before;
        most = std::max(most, gone[c]);
    }
    for (int i = 0; i < rows_n * count; ++i) most = std::max(most, h[i]);
    if (!(most > kLeast)) return false;
    scale(h, 1.0f / most, rows_n * count);
    scale(gone, 1.0f / most, count);
    return true;
}

}  // namespace

void bind_score_belief(py::module_& m) {
    m.def("belief_forward", &forward, py::arg("here").noconvert(), py::arg("lost").noconvert(),
          py::arg("scratch").noconvert(), py::arg("tempo").noconvert(), py::arg("step").noconvert(),
          py::arg("rates").noconvert(), py::arg("likelihood").noconvert(), py::arg("unknown").noconvert(),
          py::arg("rows").noconvert(), py::arg("position").noconvert());
    m.def("belief_backward", &backward, py::arg("here").noconvert(), py::arg("lost").noconvert(),
          py::arg("scratch").noconvert(), py::arg("tempo").noconvert(), py::arg("step").noconvert(),
          py::arg("rates").noconvert(), py::arg("likelihood").noconvert(), py::arg("unknown"));
}
