// The binding of the engine's side of a hop exchange, over memory of a buffer of Python's.
#include "hop_exchange.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "module.hpp"

namespace {

using rtsep::ExchangeHeader;
using rtsep::ExchangeShape;
using rtsep::HopExchange;

struct BoundExchange {
    py::buffer_info lent;  // keeps the memory
    std::unique_ptr<HopExchange> exchange;
};

ExchangeShape shape_of(std::uint64_t stems, std::uint64_t channels, std::uint64_t hop, std::uint64_t delivery_offset,
                       std::uint64_t input_capacity) {
    require(stems >= 2 && channels >= 1 && hop >= 1, "HopExchange: two stems, one channel and a hop of 1 at least");
    require(delivery_offset >= hop, "HopExchange: delivery_offset must be at least hop");
    require(input_capacity >= hop, "HopExchange: input_capacity must be at least hop");
    return {stems, channels, hop, delivery_offset, input_capacity};
}

std::unique_ptr<BoundExchange> lend(const py::buffer& memory, std::size_t bytes) {
    auto bound = std::make_unique<BoundExchange>();
    bound->lent = memory.request(true);
    require(reinterpret_cast<std::uintptr_t>(bound->lent.ptr) % 64 == 0, "HopExchange: memory must be 64-byte aligned");
    require(static_cast<std::size_t>(bound->lent.size * bound->lent.itemsize) >= bytes,
            "HopExchange: memory is smaller than bytes_needed()");
    return bound;
}

std::unique_ptr<BoundExchange> create(std::uint64_t stems, std::uint64_t channels, std::uint64_t hop,
                                      std::uint64_t delivery_offset, std::uint64_t input_capacity,
                                      const py::buffer& memory) {
    const ExchangeShape shape = shape_of(stems, channels, hop, delivery_offset, input_capacity);
    auto bound = lend(memory, HopExchange::bytes(shape));
    bound->exchange = std::make_unique<HopExchange>(bound->lent.ptr, shape);
    return bound;
}

std::unique_ptr<BoundExchange> attach(const py::buffer& memory) {
    auto bound = lend(memory, sizeof(ExchangeHeader));
    const auto* header = static_cast<const ExchangeHeader*>(bound->lent.ptr);
    const auto size = static_cast<std::size_t>(bound->lent.size * bound->lent.itemsize);
    require(header->magic == HopExchange::kMagic && header->bytes <= size && HopExchange::bytes(header->shape) <= size,
            "HopExchange: memory holds no exchange");
    bound->exchange = std::make_unique<HopExchange>(bound->lent.ptr);
    return bound;
}

std::size_t read_hop(BoundExchange& self, std::uint64_t hop_index, f32& hop) {
    require(hop.ndim() == 2 && static_cast<std::size_t>(hop.shape(0)) == self.exchange->hop() &&
                static_cast<std::size_t>(hop.shape(1)) == self.exchange->channels(),
            "HopExchange: hop must be [H, C]");
    return self.exchange->read_hop(hop_index, hop.mutable_data());
}

void deliver(BoundExchange& self, std::uint64_t hop_index, const f32& stems) {
    require(stems.ndim() == 3 && static_cast<std::size_t>(stems.shape(0)) == self.exchange->stems() &&
                static_cast<std::size_t>(stems.shape(1)) == self.exchange->hop() &&
                static_cast<std::size_t>(stems.shape(2)) == self.exchange->channels(),
            "HopExchange: stems must be [S, H, C]");
    self.exchange->deliver(hop_index, stems.data());
}

// The audio thread's side: what a host does in C++.
std::size_t push_input(BoundExchange& self, const f32& frames) {
    require(frames.ndim() == 2 && static_cast<std::size_t>(frames.shape(1)) == self.exchange->channels(),
            "HopExchange: frames must be [frames, C]");
    const auto count = static_cast<std::size_t>(frames.shape(0));
    const std::size_t lost = self.exchange->push_input(frames.data(), count);
    self.exchange->advance(self.exchange->position() + count);
    return lost;
}

// Of a host that waits for the engine: true and the stems in `stems` once they are there, false after `timeout_s`.
bool take_hop(const BoundExchange& self, std::uint64_t hop_index, f32& stems, double timeout_s, double grain_s) {
    require(stems.ndim() == 3 && static_cast<std::size_t>(stems.shape(0)) == self.exchange->stems() &&
                static_cast<std::size_t>(stems.shape(1)) == self.exchange->hop() &&
                static_cast<std::size_t>(stems.shape(2)) == self.exchange->channels(),
            "HopExchange: stems must be [S, H, C]");
    float* out = stems.mutable_data();
    const auto size = static_cast<std::size_t>(stems.size());
    py::gil_scoped_release nogil;
    const float* found = self.exchange->wait_delivered(hop_index, timeout_s, grain_s);
    if (!found) return false;
    std::copy_n(found, size, out);
    return true;
}

}  // namespace

void bind_hop_exchange(py::module_& m) {
    py::class_<BoundExchange>(m, "HopExchange")
        .def(py::init(&create), py::arg("stems"), py::arg("channels"), py::arg("hop"), py::arg("delivery_offset"),
             py::arg("input_capacity"), py::arg("memory"), py::keep_alive<1, 7>())
        .def_static("attach", &attach, py::arg("memory"), py::keep_alive<0, 1>())
        .def_static("bytes_needed", [](std::uint64_t stems, std::uint64_t channels, std::uint64_t hop,
                                       std::uint64_t delivery_offset, std::uint64_t input_capacity) {
            return HopExchange::bytes(shape_of(stems, channels, hop, delivery_offset, input_capacity));
        }, py::arg("stems"), py::arg("channels"), py::arg("hop"), py::arg("delivery_offset"), py::arg("input_capacity"))
        .def("wait_input", [](const BoundExchange& s, std::uint64_t hop_index, double timeout_s, double grain_s) {
            return s.exchange->wait_input(hop_index, timeout_s, grain_s);
        }, py::arg("hop_index"), py::arg("timeout_s"), py::arg("grain_s") = 1e-4,
             py::call_guard<py::gil_scoped_release>())
        .def("read_hop", &read_hop, py::arg("hop_index"), py::arg("hop").noconvert())
        .def("deliver", &deliver, py::arg("hop_index"), py::arg("stems").noconvert())
        .def("take_hop", &take_hop, py::arg("hop_index"), py::arg("stems").noconvert(), py::arg("timeout_s"),
             py::arg("grain_s") = 1e-4)
        .def("push_input", &push_input, py::arg("frames").noconvert())
        .def("is_ready", [](const BoundExchange& s, std::size_t frames) { return s.exchange->is_ready(frames); },
             py::arg("frames"))
        .def("catch_up", [](BoundExchange& s) { return s.exchange->catch_up(); })
        .def("beat", [](BoundExchange& s) { s.exchange->beat(); })
        .def("first_frame", [](const BoundExchange& s, std::uint64_t hop_index) {
            return s.exchange->first_frame(hop_index);
        }, py::arg("hop_index"))
        .def_property_readonly("position", [](const BoundExchange& s) { return s.exchange->position(); })
        .def_property_readonly("beats", [](const BoundExchange& s) { return s.exchange->beats(); })
        .def_property_readonly("shape", [](const BoundExchange& s) {
            const ExchangeShape& x = s.exchange->shape();
            return py::make_tuple(x.stems, x.channels, x.hop, x.delivery_offset, x.input_capacity);
        });
}
