// Keeps the connections of a JACK client: makes those that are wanted as soon as both ports are there, learns those
// that are made and removed by hand, and keeps them in a file. A thread of its own without priority: what it asks of
// the server may take its time.
#pragma once
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "jack_client.hpp"

namespace rtsep {

class JackWires {
   public:
    // `remembered_ports`: own ports of earlier runs that the file goes on to name. `path`: "" keeps no file.
    JackWires(JackClient& client, std::vector<Wire> wanted, std::vector<std::string> remembered_ports,
              std::string path);
    ~JackWires() { stop(); }
    JackWires(const JackWires&) = delete;
    JackWires& operator=(const JackWires&) = delete;

    void start();
    // More of them, for own ports that have come since: any thread.
    void add(const std::vector<Wire>& wanted, const std::vector<std::string>& own_ports);
    void stop();  // before the client closes, or all connections would seem to be removed by hand

    std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
    // Wanted connections, and those of them that wait for a port; nothing while the thread is at work on them.
    struct Lists {
        std::vector<Wire> wanted, waiting;
    };
    std::optional<Lists> try_lists();
    bool cannot_save() const { return cannot_save_.load(std::memory_order_relaxed); }

   private:
    struct Kept {
        Wire wire;
        bool made = false;
        int missing_looks = 0;
    };

    void run();
    void look();
    bool take_added();
    bool learn_made(const std::vector<Wire>& there);
    bool judge(Kept& kept, const std::vector<Wire>& there, bool port_gone);
    void publish(const std::vector<Wire>& there);
    bool save() const;

    JackClient& client_;
    std::vector<std::string> remembered_ports_;
    const std::string path_;
    std::vector<Kept> kept_;     // the thread's alone
    bool pending_ = true;        // something to connect or to judge, though the graph does not change
    bool unsaved_ = true;
    int looks_ = 0;
    std::mutex lists_mutex_, added_mutex_;
    Lists lists_;
    std::vector<Wire> added_;
    std::vector<std::string> added_ports_;
    std::atomic<std::uint64_t> version_{0};
    std::atomic<bool> stop_{false}, cannot_save_{false};
    std::thread thread_;
};

}  // namespace rtsep
