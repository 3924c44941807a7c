// How many voices sing at most: one number for every decoder, in Python MAX_VOICES of kernels/assignments.py.
#pragma once

namespace rtsep {

constexpr int kMaxVoices = 4;

}  // namespace rtsep
