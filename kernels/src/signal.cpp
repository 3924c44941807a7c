// Sleeping and waking: a futex on Linux. No Python in here: the thread sanitizer runs it in a program of its own.
#include "signal.hpp"

#include <algorithm>
#include <ctime>
#include <thread>

#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#endif

namespace rtsep {

namespace {

constexpr double kLongestSleepS = 0.02;  // a sleeper looks for itself now and then: nobody can keep it waiting

}  // namespace

#ifdef __linux__

void Signal::wake() { syscall(SYS_futex, &count_, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0); }

void Signal::sleep(std::uint32_t count, double longest_s, double /*grain_s*/) {
    const double sleep_s = std::min(longest_s, kLongestSleepS);
    timespec time{0, static_cast<long>(sleep_s * 1e9)};
    syscall(SYS_futex, &count_, FUTEX_WAIT, count, &time, nullptr, 0);
}

#else

void Signal::wake() {}

void Signal::sleep(std::uint32_t, double longest_s, double grain_s) {
    std::this_thread::sleep_for(std::chrono::duration<double>(std::min({longest_s, grain_s, kLongestSleepS})));
}

#endif

}  // namespace rtsep
