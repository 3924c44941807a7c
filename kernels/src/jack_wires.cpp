// Which connections are wanted, which were removed by hand, and the file that remembers them.
#include "jack_wires.hpp"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace rtsep {

namespace {

constexpr auto kLook = std::chrono::milliseconds(50);
// A connection that is gone though both its ports are there was removed by hand, unless its port goes too: a client
// that leaves loses its connections first and its ports a moment later.
constexpr int kRemovedLooks = 10;
constexpr int kRetryLooks = 10;  // a client that has ports is not active yet, or the server refuses

bool contains(const std::vector<Wire>& wires, const Wire& wire) {
    return std::find(wires.begin(), wires.end(), wire) != wires.end();
}

std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        if (static_cast<unsigned char>(c) >= 0x20) out += c;  // no port has control characters worth keeping
    }
    return out + "\"";
}

void use_ordinary_priority() {  // the engine's real-time priority is inherited
    sched_param ordinary{};
    pthread_setschedparam(pthread_self(), SCHED_OTHER, &ordinary);
}

}  // namespace

JackWires::JackWires(JackClient& client, std::vector<Wire> wanted, std::vector<std::string> remembered_ports,
                     std::string path)
    : client_(client), remembered_ports_(std::move(remembered_ports)), path_(std::move(path)) {
    for (Wire& wire : wanted) kept_.push_back({std::move(wire)});
}

void JackWires::start() {
    thread_ = std::thread([this] { run(); });
}

void JackWires::stop() {
    stop_.store(true);
    if (thread_.joinable()) thread_.join();
}

void JackWires::run() {
    use_ordinary_priority();
    while (!stop_.load() && client_.alive()) {
        look();
        std::this_thread::sleep_for(kLook);
    }
}

void JackWires::look() {
    ++looks_;
    const bool added = take_added();
    const bool changed = client_.take_graph_changed() || added, port_gone = client_.take_port_gone();
    if (!changed && !port_gone && !pending_) return;
    pending_ = false;
    const std::vector<Wire> there = client_.wires();
    if (!client_.alive()) return;  // what is gone now went with the server
    if (learn_made(there)) unsaved_ = true;
    for (auto kept = kept_.begin(); kept != kept_.end();) {
        if (judge(*kept, there, port_gone)) {
            ++kept;
        } else {
            kept = kept_.erase(kept);
            unsaved_ = true;
        }
    }
    publish(there);
    if (unsaved_ && !path_.empty()) {
        const bool saved = save();
        cannot_save_.store(!saved, std::memory_order_relaxed);
        unsaved_ = !saved;
    }
}

void JackWires::add(const std::vector<Wire>& wanted, const std::vector<std::string>& own_ports) {
    const std::lock_guard<std::mutex> lock(added_mutex_);
    added_.insert(added_.end(), wanted.begin(), wanted.end());
    added_ports_.insert(added_ports_.end(), own_ports.begin(), own_ports.end());
}

bool JackWires::take_added() {
    const std::lock_guard<std::mutex> lock(added_mutex_);
    const bool any = !added_.empty() || !added_ports_.empty();
    for (Wire& wire : added_) {
        const auto same = [&wire](const Kept& kept) { return kept.wire == wire; };
        if (std::none_of(kept_.begin(), kept_.end(), same)) kept_.push_back({std::move(wire)});
    }
    for (std::string& port : added_ports_)
        if (std::find(remembered_ports_.begin(), remembered_ports_.end(), port) == remembered_ports_.end())
            remembered_ports_.push_back(std::move(port));
    added_.clear();
    added_ports_.clear();
    unsaved_ = unsaved_ || any;
    return any;
}

bool JackWires::learn_made(const std::vector<Wire>& there) {
    bool learned = false;
    for (const Wire& wire : there) {
        const auto same = [&wire](const Kept& kept) { return kept.wire == wire; };
        if (std::any_of(kept_.begin(), kept_.end(), same)) continue;
        kept_.push_back({wire, true});
        learned = true;
    }
    return learned;
}

// Makes a connection that can be made. False for one that was removed by hand.
bool JackWires::judge(Kept& kept, const std::vector<Wire>& there, bool port_gone) {
    if (contains(there, kept.wire)) {
        kept.made = true;
        kept.missing_looks = 0;
        return true;
    }
    if (port_gone) kept.made = false;
    if (!client_.has_port(kept.wire.source) || !client_.has_port(kept.wire.target)) {
        kept.made = false;
        kept.missing_looks = 0;
        return true;
    }
    const int missing = kept.missing_looks++;
    if (kept.made) {
        pending_ = true;
        return missing < kRemovedLooks;
    }
    pending_ = true;
    if (missing % kRetryLooks == 0 && client_.connect(kept.wire)) {
        kept.made = true;
        kept.missing_looks = 0;
    }
    return true;
}

void JackWires::publish(const std::vector<Wire>& there) {
    Lists lists;
    for (const Kept& kept : kept_) {
        lists.wanted.push_back(kept.wire);
        if (!kept.made && !contains(there, kept.wire)) lists.waiting.push_back(kept.wire);
    }
    const std::lock_guard<std::mutex> lock(lists_mutex_);
    lists_ = std::move(lists);
    version_.fetch_add(1, std::memory_order_release);
}

std::optional<JackWires::Lists> JackWires::try_lists() {
    const std::unique_lock<std::mutex> lock(lists_mutex_, std::try_to_lock);
    if (!lock.owns_lock()) return std::nullopt;
    return lists_;
}

// Whole or not at all: a new file takes the old one's place.
bool JackWires::save() const {
    const std::string part = path_ + ".part";
    std::FILE* file = std::fopen(part.c_str(), "w");
    if (!file) return false;
    std::string text = "{\"ports\": [";
    for (std::size_t i = 0; i < remembered_ports_.size(); ++i)
        text += (i ? ", " : "") + quoted(remembered_ports_[i]);
    text += "],\n \"wires\": [";
    for (std::size_t i = 0; i < kept_.size(); ++i)
        text += (i ? ",\n  [" : "\n  [") + quoted(kept_[i].wire.source) + ", " + quoted(kept_[i].wire.target) + "]";
    text += "]}\n";
    bool good = std::fputs(text.c_str(), file) >= 0 && std::fflush(file) == 0 && fsync(fileno(file)) == 0;
    good = std::fclose(file) == 0 && good;
    return good && std::rename(part.c_str(), path_.c_str()) == 0;
}

}  // namespace rtsep
