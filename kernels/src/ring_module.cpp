// The binding of the sample ring, over memory of its own or of a buffer of Python's.
#include "ring.hpp"

#include <memory>
#include <new>
#include <optional>

#include "module.hpp"

namespace {

using rtsep::RingHeader;
using rtsep::SampleRing;

constexpr std::size_t kAlignment = 64;

bool power_of_two(std::size_t n) { return n != 0 && (n & (n - 1)) == 0; }

struct FreeAligned {
    void operator()(void* p) const { ::operator delete(p, std::align_val_t{kAlignment}); }
};

// A ring and what keeps its memory alive: an allocation, or the buffer it was given.
struct BoundRing {
    std::unique_ptr<void, FreeAligned> own;
    std::optional<py::buffer_info> lent;
    SampleRing ring;
};

py::buffer_info writable(const py::buffer& memory) {
    py::buffer_info info = memory.request(true);
    require(reinterpret_cast<std::uintptr_t>(info.ptr) % kAlignment == 0, "SampleRing: memory must be 64-byte aligned");
    return info;
}

std::size_t size_of(const py::buffer_info& info) { return static_cast<std::size_t>(info.size * info.itemsize); }

std::unique_ptr<BoundRing> create(std::size_t capacity, std::size_t channels, const py::object& memory,
                                  std::uint64_t start) {
    require(power_of_two(capacity), "SampleRing: capacity_frames must be a power of two");
    require(channels >= 1, "SampleRing: channels must be at least 1");
    auto bound = std::make_unique<BoundRing>();
    const std::size_t bytes = SampleRing::bytes(capacity, channels);
    void* p = nullptr;
    if (memory.is_none()) {
        bound->own.reset(::operator new(bytes, std::align_val_t{kAlignment}));
        p = bound->own.get();
    } else {
        bound->lent = writable(py::cast<py::buffer>(memory));
        require(size_of(*bound->lent) >= bytes, "SampleRing: memory is smaller than bytes_needed()");
        p = bound->lent->ptr;
    }
    bound->ring = SampleRing(p, capacity, channels, start);
    return bound;
}

std::unique_ptr<BoundRing> attach(const py::buffer& memory) {
    auto bound = std::make_unique<BoundRing>();
    bound->lent = writable(memory);
    const std::size_t size = size_of(*bound->lent);
    require(size >= sizeof(RingHeader), "SampleRing: memory holds no ring");
    const auto* header = static_cast<const RingHeader*>(bound->lent->ptr);
    require(header->magic == SampleRing::kMagic, "SampleRing: memory holds no ring");
    require(power_of_two(header->capacity_frames) && header->channels >= 1 &&
                size >= SampleRing::bytes(header->capacity_frames, header->channels),
            "SampleRing: memory is smaller than the ring it names");
    bound->ring = SampleRing(bound->lent->ptr);
    return bound;
}

std::size_t checked_frames(const BoundRing& self, const f32& block) {
    require(block.ndim() == 2 && static_cast<std::size_t>(block.shape(1)) == self.ring.channels(),
            "SampleRing: block must be [frames, channels]");
    return static_cast<std::size_t>(block.shape(0));
}

}  // namespace

void bind_ring(py::module_& m) {
    py::class_<BoundRing>(m, "SampleRing")
        .def(py::init(&create), py::arg("capacity_frames"), py::arg("channels"), py::arg("memory") = py::none(),
             py::arg("start_position") = 0)
        .def_static("attach", &attach, py::arg("memory"))
        .def_static("bytes_needed", &SampleRing::bytes, py::arg("capacity_frames"), py::arg("channels"))
        .def_property_readonly("capacity_frames", [](const BoundRing& s) { return s.ring.capacity(); })
        .def_property_readonly("channels", [](const BoundRing& s) { return s.ring.channels(); })
        .def_property_readonly("write_position", [](const BoundRing& s) { return s.ring.write_position(); })
        .def_property_readonly("read_position", [](const BoundRing& s) { return s.ring.read_position(); })
        .def_property_readonly("available", [](const BoundRing& s) { return s.ring.available(); })
        .def_property_readonly("space", [](const BoundRing& s) { return s.ring.space(); })
        .def_property_readonly("closed", [](const BoundRing& s) { return s.ring.closed(); })
        .def("close", [](BoundRing& s) { s.ring.close(); })
        .def(
            "write",
            [](BoundRing& s, const f32& block) {
                const std::size_t frames = checked_frames(s, block);
                const float* x = block.data();
                py::gil_scoped_release nogil;
                return s.ring.write(x, frames);
            },
            py::arg("block").noconvert())
        .def(
            "read",
            [](BoundRing& s, f32& out) {
                const std::size_t frames = checked_frames(s, out);
                float* y = out.mutable_data();
                py::gil_scoped_release nogil;
                return s.ring.read(y, frames);
            },
            py::arg("out").noconvert());
}
