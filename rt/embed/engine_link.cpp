// Starts, watches and ends an engine process, and maps the memory that it is reached through.
#include "engine_link.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <deque>

extern char** environ;

namespace rtsep {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::duration;
using std::chrono::milliseconds;

constexpr char kModule[] = "rtsep.rt.embed.hop_server";
constexpr int kMemoryFd = 3;           // in the engine, as hop_server.py says
constexpr int kFirstFreeFd = 10;       // here: above all that is given a number in the engine
constexpr double kStartS = 60.0;       // a large model from a cold disk
constexpr double kEndS = 2.0;          // for each step of ending an engine: asked, told, killed
constexpr double kHangS = 3.0;         // it counts twenty times a second; shared machines stall for tenths of one
constexpr auto kLook = milliseconds(20);
constexpr std::size_t kFaults = 4;     // so many within so long: it will not stay up (as of a live session)
constexpr double kFaultsWithinS = 30.0;
constexpr double kRampS = 0.02;        // twenty periods of 1 kHz: a change of level, not a click
constexpr auto kWaitGrain = std::chrono::microseconds(50);

// Numeric libraries with one thread: more give tail spikes of milliseconds.
const char* const kOneThread[] = {"OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1", "MKL_NUM_THREADS=1", "NUMEXPR_NUM_THREADS=1"};

int above_standard(int fd) {
    if (fd < 0 || fd >= kFirstFreeFd) return fd;
    const int high = fcntl(fd, F_DUPFD_CLOEXEC, kFirstFreeFd);
    close(fd);
    return high;
}

// Gains [S * C, S * C]: every stem on outputs of its own; in bypass the mixture is in the residual's place.
std::vector<float> each_its_own(std::size_t width) {
    std::vector<float> gains(width * width, 0.0f);
    for (std::size_t i = 0; i < width; ++i) gains[i * width + i] = 1.0f;
    return gains;
}

}  // namespace

std::unique_ptr<EngineLink> EngineLink::open(const EngineOptions& options, std::string* error) {
    std::unique_ptr<EngineLink> link(new EngineLink(options));
    link->memory_fd_ = above_standard(memfd_create("rtsep", MFD_CLOEXEC));
    link->log_fd_ = above_standard(memfd_create("rtsep-log", MFD_CLOEXEC));
    if (link->memory_fd_ < 0 || link->log_fd_ < 0) {
        *error = std::string("memory to share with the engine cannot be had (") + std::strerror(errno) +
                 "); close other programs or raise the limit of open files";
        return nullptr;
    }
    if (!link->start(false, &link->facts_, error)) return nullptr;
    link->map_memory();
    if (!link->callback_) {
        *error = "the engine's memory cannot be mapped; close other programs";
        return nullptr;
    }
    link->watcher_ = std::thread(&EngineLink::watch, link.get());
    return link;
}

EngineLink::~EngineLink() {
    closing_.store(true);
    if (watcher_.joinable()) watcher_.join();
    end_engine();
    callback_.reset();
    if (memory_) munmap(memory_, facts_.bytes);
    for (const int fd : {memory_fd_, log_fd_})
        if (fd >= 0) close(fd);
}

bool EngineLink::start(bool attach, EngineFacts* facts, std::string* error) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        *error = std::string("no socket for the engine (") + std::strerror(errno) + "); raise the limit of open files";
        return false;
    }
    socket_ = above_standard(ends[0]);
    const int theirs = above_standard(ends[1]);
    const std::string python = python_of(options_);

    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, theirs, 0);
    posix_spawn_file_actions_adddup2(&files, log_fd_, 1);
    posix_spawn_file_actions_adddup2(&files, log_fd_, 2);
    posix_spawn_file_actions_adddup2(&files, memory_fd_, kMemoryFd);
    posix_spawn_file_actions_addclosefrom_np(&files, kMemoryFd + 1);  // a host's own files are none of its business
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    // a group of its own: Ctrl-C in the host's terminal is the host's to handle
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);

    std::vector<std::string> arguments = {python, "-P", "-E", "-m", kModule};
    std::vector<char*> argv, environment;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    for (const char* variable : kOneThread) environment.push_back(const_cast<char*>(variable));
    for (char** variable = environ; *variable; ++variable) environment.push_back(*variable);
    environment.push_back(nullptr);
    const int failed = posix_spawnp(&engine_, python.c_str(), &files, &attributes, argv.data(), environment.data());
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    close(theirs);
    if (failed != 0) {
        engine_ = -1;
        *error = python + " cannot be started (" + std::strerror(failed) +
                 "); name the Python that has rtsep in RTSEP_PYTHON";
        return false;
    }
    const std::string line = options_line(options_, attach);
    send(socket_, line.data(), line.size(), MSG_NOSIGNAL);  // one that died at once is noticed by its silence
    if (read_answer(facts, error)) return true;
    end_engine();
    return false;
}

bool EngineLink::read_answer(EngineFacts* facts, std::string* error) {
    const auto deadline = Clock::now() + duration<double>(kStartS);
    std::string answer;
    while (answer.empty() || answer.back() != '\n') {
        const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now()).count();
        if (left <= 0 || closing_.load()) {
            *error = "the engine is not ready after 60 s; see whether this machine can run `rtsep bench`";
            return false;
        }
        pollfd waiting{socket_, POLLIN, 0};
        if (poll(&waiting, 1, static_cast<int>(std::min<long long>(left, 200))) <= 0) continue;
        char piece[4096];
        const ssize_t count = recv(socket_, piece, sizeof piece, 0);
        if (count <= 0) {
            *error = "the engine ended at its start (" + last_words() + "); name the Python that has rtsep in RTSEP_PYTHON";
            return false;
        }
        answer.append(piece, static_cast<std::size_t>(count));
    }
    answer.pop_back();
    return read_facts(answer, facts, error);
}

void EngineLink::map_memory() {
    memory_ = mmap(nullptr, facts_.bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, memory_fd_, 0);
    if (memory_ == MAP_FAILED) {
        memory_ = nullptr;
        return;
    }
    auto exchange = std::make_unique<HopExchange>(memory_);
    const std::size_t channels = options_.channels, width = facts_.stems.size() * channels;
    const std::vector<float> gains = each_its_own(width);
    std::vector<float> bypass(width * channels, 0.0f);
    for (std::size_t i = 0; i < channels; ++i) bypass[(width - channels + i) * channels + i] = 1.0f;
    std::vector<std::size_t> picks(channels);
    for (std::size_t i = 0; i < channels; ++i) picks[i] = i;
    callback_ = std::make_unique<DeviceCallback>(picks, channels, gains.data(), width, facts_.latency_samples,
                                                 std::move(exchange), bypass.data(),
                                                 static_cast<std::size_t>(kRampS * options_.samplerate), 0);
}

bool EngineLink::wait(std::size_t frames, double timeout_s) const {
    const auto deadline = Clock::now() + duration<double>(timeout_s);
    while (!callback_->is_ready(frames)) {
        if (Clock::now() >= deadline || state() == State::kBypassed) return false;
        std::this_thread::sleep_for(kWaitGrain);
    }
    return true;
}

bool EngineLink::engine_ended() {
    int code = 0;
    const pid_t ended = waitpid(engine_, &code, WNOHANG);
    return ended == engine_ || (ended < 0 && errno == ECHILD);  // a host may collect all of its children
}

// In a thread of ordinary priority of its own: nothing here is waited for by the sound.
void EngineLink::watch() {
    const HopExchange exchange(memory_);
    std::deque<Clock::time_point> faults;
    std::uint64_t beats = exchange.beats();
    auto alive_at = Clock::now();
    while (!closing_.load()) {
        std::this_thread::sleep_for(kLook);
        const auto now = Clock::now();
        if (exchange.beats() != beats) {
            beats = exchange.beats();
            alive_at = now;
        }
        const bool ended = engine_ended();
        if (ended) engine_ = -1;
        if (!ended && now - alive_at < duration<double>(kHangS)) continue;
        state_.store(static_cast<int>(State::kRestarting));
        end_engine();
        faults.push_back(now);
        while (!faults.empty() && now - faults.front() > duration<double>(kFaultsWithinS)) faults.pop_front();
        EngineFacts facts;
        std::string error;
        if (faults.size() >= kFaults || !start(true, &facts, &error) || !(facts == facts_)) {
            end_engine();
            if (faults.size() < kFaults && !closing_.load()) continue;  // tried again at the next look
            state_.store(static_cast<int>(State::kBypassed));
            return;
        }
        restarts_.fetch_add(1);
        alive_at = Clock::now();
        state_.store(static_cast<int>(State::kRunning));
    }
}

void EngineLink::end_engine() {
    if (socket_ >= 0) close(socket_);
    socket_ = -1;
    for (const int insist : {0, SIGTERM, SIGKILL}) {
        if (engine_ <= 0) return;
        if (insist) kill(engine_, insist);
        const auto deadline = Clock::now() + duration<double>(kEndS);
        while (Clock::now() < deadline) {
            if (engine_ended()) {
                engine_ = -1;
                return;
            }
            std::this_thread::sleep_for(milliseconds(2));
        }
    }
}

std::string EngineLink::last_words() const {
    char text[2048];
    const off_t size = lseek(log_fd_, 0, SEEK_END);
    const off_t from = std::max<off_t>(0, size - static_cast<off_t>(sizeof text));
    const ssize_t count = pread(log_fd_, text, sizeof text, from);
    std::string last = "no words";
    if (count > 0)
        for (const std::string& line : split(std::string(text, static_cast<std::size_t>(count)), '\n'))
            if (!line.empty()) last = line;
    return last;
}

}  // namespace rtsep
