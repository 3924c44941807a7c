// The binding of the device callback, and its address for PortAudio.
#include "device_callback.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include <pybind11/stl.h>

#include "checks.hpp"
#include "module.hpp"

namespace {

using rtsep::CallbackSlot;
using rtsep::DeviceCallback;

// PaStreamCallback, as PortAudio's API documentation declares it; 0 is paContinue.
extern "C" int rtsep_device_callback(const void* in, void* out, unsigned long frames, const void* /*time_info*/,
                                     unsigned long flags, void* user) {
    static_cast<CallbackSlot*>(user)->process(static_cast<const float*>(in), static_cast<float*>(out), frames, flags);
    return 0;
}

std::unique_ptr<DeviceCallback> create(std::vector<std::size_t> picks, std::size_t device_inputs, const f32& gains,
                                       std::size_t stems, std::size_t hop, std::size_t latency, std::size_t hop_latency,
                                       std::size_t input_capacity, const f32& bypass_gains, std::size_t ramp,
                                       std::size_t longest_delay) {
    require(!picks.empty(), "DeviceCallback: picks must name at least one input channel");
    for (const std::size_t pick : picks) require(pick < device_inputs, "DeviceCallback: a pick is not a device channel");
    require(stems >= 2 && hop >= 1, "DeviceCallback: at least one stem and the residual, and a hop of at least 1");
    require(latency >= hop_latency + hop, "DeviceCallback: latency must be at least hop_latency + hop");
    require(gains.ndim() == 2 && static_cast<std::size_t>(gains.shape(1)) == stems * picks.size(),
            "DeviceCallback: gains must be [device outputs, stems * channels]");
    require(bypass_gains.ndim() == 2 && bypass_gains.shape(0) == gains.shape(0) &&
                static_cast<std::size_t>(bypass_gains.shape(1)) == picks.size(),
            "DeviceCallback: bypass_gains must be [device outputs, channels]");
    require(ramp >= 1, "DeviceCallback: ramp must be at least 1");
    return std::make_unique<DeviceCallback>(std::move(picks), device_inputs, gains.data(),
                                            static_cast<std::size_t>(gains.shape(0)), stems, hop, latency, hop_latency,
                                            input_capacity, bypass_gains.data(), ramp, longest_delay);
}

void process(DeviceCallback& self, const f32& in, f32& out, unsigned long flags) {
    require(in.ndim() == 2 && out.ndim() == 2 && in.shape(0) == out.shape(0) &&
                static_cast<std::size_t>(in.shape(1)) == self.device_inputs() &&
                static_cast<std::size_t>(out.shape(1)) == self.device_outputs(),
            "DeviceCallback: in must be [frames, device inputs], out [frames, device outputs]");
    const float* x = in.data();
    float* y = out.mutable_data();
    const auto frames = static_cast<std::size_t>(in.shape(0));
    py::gil_scoped_release nogil;
    self.process(x, y, frames, flags);
}

std::size_t read_hop(DeviceCallback& self, std::uint64_t hop_index, f32& hop) {
    require(hop.ndim() == 2 && static_cast<std::size_t>(hop.shape(0)) == self.hop() &&
                static_cast<std::size_t>(hop.shape(1)) == self.channels(),
            "DeviceCallback: hop must be [H, C]");
    return self.read_hop(hop_index, hop.mutable_data());
}

void deliver(DeviceCallback& self, std::uint64_t hop_index, const f32& stems) {
    require(stems.ndim() == 3 && static_cast<std::size_t>(stems.shape(0)) == self.stems() &&
                static_cast<std::size_t>(stems.shape(1)) == self.hop() &&
                static_cast<std::size_t>(stems.shape(2)) == self.channels(),
            "DeviceCallback: stems must be [S, H, C]");
    self.deliver(hop_index, stems.data());
}

void set_gains(DeviceCallback& self, const f32& gains, float bypass) {
    require(gains.ndim() == 1 && static_cast<std::size_t>(gains.shape(0)) == self.stems(),
            "DeviceCallback: stem_gains must be [S]");
    require_range(bypass, 0.0, 1.0, "DeviceCallback: bypass");
    std::vector<float> targets(gains.data(), gains.data() + gains.shape(0));
    for (const float gain : targets) require_range(gain, 0.0, std::numeric_limits<float>::max(), "DeviceCallback: a gain");
    self.set_gains(targets.data(), bypass);
}

void set_mix(DeviceCallback& self, const f32& gains, const f32& delays, float ceiling) {
    require(gains.ndim() == 2 && static_cast<std::size_t>(gains.shape(0)) == self.device_outputs() &&
                static_cast<std::size_t>(gains.shape(1)) == (self.stems() + 1) * self.channels(),
            "DeviceCallback: gains must be [device outputs, (S + 1) * C]");
    require(delays.ndim() == 1 && static_cast<std::size_t>(delays.shape(0)) == self.stems(),
            "DeviceCallback: delays must be [S]");
    constexpr double largest = std::numeric_limits<float>::max();
    for (py::ssize_t i = 0; i < gains.size(); ++i) require_range(gains.data()[i], -largest, largest, "DeviceCallback: a gain");
    for (std::size_t s = 0; s < self.stems(); ++s)
        require_range(delays.data()[s], 0.0, static_cast<double>(self.longest_delay()), "DeviceCallback: a delay");
    require_range(ceiling, 0.0, std::numeric_limits<double>::infinity(), "DeviceCallback: ceiling");
    self.set_mix(gains.data(), delays.data(), std::min(ceiling, rtsep::OutputMixer::kOff));
}

void set_input(DeviceCallback& self, const f32& gains) {
    require(gains.ndim() == 2 && static_cast<std::size_t>(gains.shape(0)) == self.channels() &&
                static_cast<std::size_t>(gains.shape(1)) == self.device_inputs(),
            "DeviceCallback: gains must be [C, device inputs]");
    constexpr double largest = std::numeric_limits<float>::max();
    for (py::ssize_t i = 0; i < gains.size(); ++i)
        require_range(gains.data()[i], -largest, largest, "DeviceCallback: an input gain");
    self.set_input(gains.data());
}

void follow_with(DeviceCallback& self, DeviceCallback* successor) {
    require(!successor || (successor != &self && successor->device_inputs() == self.device_inputs() &&
                           successor->device_outputs() == self.device_outputs()),
            "DeviceCallback: a successor is another one of the same device channels");
    py::gil_scoped_release nogil;
    self.follow_with(successor);
}

std::uint64_t value(const std::atomic<std::uint64_t>& counter) { return counter.load(std::memory_order_relaxed); }

}  // namespace

void bind_device_callback(py::module_& m) {
    py::class_<DeviceCallback>(m, "DeviceCallback")
        .def(py::init(&create), py::arg("picks"), py::arg("device_inputs"), py::arg("gains").noconvert(),
             py::arg("stems"), py::arg("hop"), py::arg("latency"), py::arg("hop_latency"), py::arg("input_capacity"),
             py::arg("bypass_gains").noconvert(), py::arg("ramp"), py::arg("longest_delay") = 0)
        .def("process", &process, py::arg("indata").noconvert(), py::arg("out").noconvert(), py::arg("flags") = 0)
        .def("is_ready", &DeviceCallback::is_ready, py::arg("frames"))
        .def("wait_input", &DeviceCallback::wait_input, py::arg("hop_index"), py::arg("timeout_s"),
             py::arg("grain_s") = 1e-4, py::call_guard<py::gil_scoped_release>())
        .def("read_hop", &read_hop, py::arg("hop_index"), py::arg("hop").noconvert())
        .def("deliver", &deliver, py::arg("hop_index"), py::arg("stems").noconvert())
        .def("set_gains", &set_gains, py::arg("stem_gains").noconvert(), py::arg("bypass"))
        .def("set_mix", &set_mix, py::arg("gains").noconvert(), py::arg("delays").noconvert(), py::arg("ceiling"))
        .def("set_input", &set_input, py::arg("gains").noconvert())
        .def("first_frame", &DeviceCallback::first_frame, py::arg("hop_index"))
        .def("take_input_peak", [](DeviceCallback& s, std::size_t channel) {
            require(channel < s.channels(), "DeviceCallback: no such channel");
            return s.take_input_peak(channel);
        }, py::arg("channel"))
        .def("take_output_peak", [](DeviceCallback& s, std::size_t output) {
            require(output < s.device_outputs(), "DeviceCallback: no such output");
            return s.take_output_peak(output);
        }, py::arg("output"))
        .def_property_readonly("device_outputs", &DeviceCallback::device_outputs)
        .def_property_readonly("position", &DeviceCallback::position)
        .def_property_readonly("xruns", [](const DeviceCallback& s) { return value(s.counters.xruns); })
        .def_property_readonly("late_hops", [](const DeviceCallback& s) { return value(s.counters.late_hops); })
        .def_property_readonly("fallback_samples",
                               [](const DeviceCallback& s) { return value(s.counters.fallback_samples); })
        .def_property_readonly("nonfinite_samples",
                               [](const DeviceCallback& s) { return value(s.counters.nonfinite_samples); })
        .def_property_readonly("limited_samples",
                               [](const DeviceCallback& s) { return value(s.counters.limited_samples); })
        .def_property_readonly("input_lost_frames",
                               [](const DeviceCallback& s) { return value(s.counters.input_lost_frames); })
        .def_property_readonly("callbacks", [](const DeviceCallback& s) { return value(s.counters.callbacks); })
        .def_property_readonly("max_block", [](const DeviceCallback& s) { return value(s.counters.max_block); })
        .def_property_readonly_static("FADE_SAMPLES", [](const py::object&) { return DeviceCallback::kFade; })
        .def("follow_with", &follow_with, py::arg("successor"))
        .def("fade_to_successor", [](DeviceCallback& s, std::size_t frames) {
            require(frames >= DeviceCallback::kFade, "DeviceCallback: a fade takes FADE_SAMPLES at least");
            s.fade_to_successor(frames);
        }, py::arg("frames"))
        .def_property_readonly("successor_runs", &DeviceCallback::successor_runs)
        .def_property_readonly("successor_is_heard", &DeviceCallback::successor_is_heard)
        .def_property_readonly("successor_origin", &DeviceCallback::successor_origin);
    py::class_<CallbackSlot>(m, "CallbackSlot")
        .def(py::init<DeviceCallback&>(), py::arg("callback"), py::keep_alive<1, 2>())
        .def("play", [](CallbackSlot& s, DeviceCallback& callback) {
            py::gil_scoped_release nogil;
            s.play(callback);
        }, py::arg("callback"))
        .def_property_readonly("blocksize", &CallbackSlot::blocksize)
        // addresses for Pa_OpenStream: the function and its userdata
        .def_property_readonly_static("function_address", [](const py::object&) {
            return reinterpret_cast<std::uintptr_t>(&rtsep_device_callback);
        })
        .def_property_readonly("address", [](const CallbackSlot& s) { return reinterpret_cast<std::uintptr_t>(&s); });
}
