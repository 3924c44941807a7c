// The binding of the bridge between two clocks, and the addresses of its ends for PortAudio.
#include "clock_bridge.hpp"

#include <chrono>
#include <stdexcept>

#include <pybind11/stl.h>

#include "checks.hpp"
#include "module.hpp"

namespace {

using rtsep::BridgeCounters;
using rtsep::CallbackSlot;
using rtsep::ClockBridge;
using rtsep::ClockLine;

double now_s() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// PaStreamCallback, as PortAudio's API documentation declares it; 0 is paContinue.
extern "C" int rtsep_bridge_input(const void* in, void* /*out*/, unsigned long frames, const void* /*time_info*/,
                                  unsigned long flags, void* user) {
    static_cast<ClockBridge*>(user)->push(static_cast<const float*>(in), frames, now_s(), flags);
    return 0;
}

extern "C" int rtsep_bridge_output(const void* /*in*/, void* out, unsigned long frames, const void* /*time_info*/,
                                   unsigned long flags, void* user) {
    static_cast<ClockBridge*>(user)->play(static_cast<float*>(out), frames, now_s(), flags);
    return 0;
}

void require_frames(const ClockBridge& self, const f32& frames) {
    require(frames.ndim() == 2 && static_cast<std::size_t>(frames.shape(1)) == self.channels(),
            "ClockBridge: blocks must be [frames, channels]");
}

std::uint64_t value(const std::atomic<std::uint64_t>& counter) { return counter.load(std::memory_order_relaxed); }

}  // namespace

void bind_clock_bridge(py::module_& m) {
    py::class_<ClockLine>(m, "ClockLine")
        .def(py::init<double>(), py::arg("samplerate"))
        .def("observe", &ClockLine::observe, py::arg("frames"), py::arg("time_s"))
        .def_property_readonly("time_s", &ClockLine::time_s)
        .def_property_readonly("period_s", &ClockLine::period_s)
        .def_property_readonly("uncertainty", &ClockLine::uncertainty)
        .def_property_readonly("steps", &ClockLine::steps);
    py::class_<ClockBridge>(m, "ClockBridge")
        .def(py::init([](std::size_t channels, double samplerate, std::size_t blocksize,
                         const std::vector<std::string>& libraries) {
                 require(channels >= 1 && blocksize >= 1, "ClockBridge: at least one channel, and a block of at least 1");
                 require_range(samplerate, 1.0, 1e7, "ClockBridge: samplerate");
                 return std::make_unique<ClockBridge>(channels, samplerate, blocksize, libraries);
             }),
             py::arg("channels"), py::arg("samplerate"), py::arg("blocksize"), py::arg("libraries"))
        .def("feed", &ClockBridge::feed, py::arg("slot"), py::arg("outputs"), py::keep_alive<1, 2>())
        .def("push", [](ClockBridge& self, const f32& in, double time_s, unsigned long flags) {
            require_frames(self, in);
            self.push(in.data(), static_cast<std::size_t>(in.shape(0)), time_s, flags);
        }, py::arg("block").noconvert(), py::arg("time_s"), py::arg("flags") = 0)
        .def("pull", [](ClockBridge& self, f32& out, double time_s) {
            require_frames(self, out);
            self.pull(out.mutable_data(), static_cast<std::size_t>(out.shape(0)), time_s);
        }, py::arg("out").noconvert(), py::arg("time_s"))
        .def_property_readonly("delay_samples", &ClockBridge::delay)
        .def_property_readonly("look_ahead_samples", &ClockBridge::look_ahead)
        .def_property_readonly("margin_samples", &ClockBridge::margin)
        .def_property_readonly("is_settled", &ClockBridge::is_settled)
        .def_property_readonly("drift", &ClockBridge::drift)
        .def_property_readonly("uncertainty", &ClockBridge::uncertainty)
        .def_property_readonly("delay_error_samples", &ClockBridge::delay_error)
        .def_property_readonly("fill_samples", &ClockBridge::fill)
        .def_property_readonly("taken_frames", [](const ClockBridge& s) { return value(s.counters.taken_frames); })
        .def_property_readonly("slips", [](const ClockBridge& s) { return value(s.counters.slips); })
        .def_property_readonly("silent_frames", [](const ClockBridge& s) { return value(s.counters.silent_frames); })
        .def_property_readonly("lost_frames", [](const ClockBridge& s) { return value(s.counters.lost_frames); })
        // addresses for Pa_OpenStream: the functions and their userdata
        .def_property_readonly_static("input_function_address", [](const py::object&) {
            return reinterpret_cast<std::uintptr_t>(&rtsep_bridge_input);
        })
        .def_property_readonly_static("output_function_address", [](const py::object&) {
            return reinterpret_cast<std::uintptr_t>(&rtsep_bridge_output);
        })
        .def_property_readonly("address", [](const ClockBridge& s) { return reinterpret_cast<std::uintptr_t>(&s); });
}
