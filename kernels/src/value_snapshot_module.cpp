// The binding of the snapshot, over a buffer of Python's.
#include "value_snapshot.hpp"

#include <algorithm>
#include <memory>
#include <vector>

#include "module.hpp"

namespace {

using rtsep::SnapshotHeader;
using rtsep::ValueSnapshot;

using f64 = py::array_t<double, py::array::c_style>;

constexpr std::size_t kAlignment = 64;

// A snapshot, the memory it lies in, and room for a copy that turns out to be torn.
struct BoundSnapshot {
    py::buffer_info memory;
    ValueSnapshot snapshot;
    std::vector<double> copy;
};

std::unique_ptr<BoundSnapshot> bound(const py::buffer& memory, std::size_t bytes) {
    auto self = std::make_unique<BoundSnapshot>();
    self->memory = memory.request(true);
    require(reinterpret_cast<std::uintptr_t>(self->memory.ptr) % kAlignment == 0,
            "ValueSnapshot: memory must be 64-byte aligned");
    require(static_cast<std::size_t>(self->memory.size * self->memory.itemsize) >= bytes,
            "ValueSnapshot: memory is smaller than bytes_needed()");
    return self;
}

std::unique_ptr<BoundSnapshot> create(std::size_t count, const py::buffer& memory) {
    auto self = bound(memory, ValueSnapshot::bytes(count));
    self->snapshot = ValueSnapshot(self->memory.ptr, count);
    self->copy.resize(count);
    return self;
}

std::unique_ptr<BoundSnapshot> attach(const py::buffer& memory) {
    auto self = bound(memory, sizeof(SnapshotHeader));
    const auto* header = static_cast<const SnapshotHeader*>(self->memory.ptr);
    const auto room = static_cast<std::size_t>(self->memory.size * self->memory.itemsize) - sizeof(SnapshotHeader);
    require(header->magic == ValueSnapshot::kMagic, "ValueSnapshot: memory holds no snapshot");
    require(header->count <= room / sizeof(double), "ValueSnapshot: memory is smaller than the snapshot it names");
    self->snapshot = ValueSnapshot(self->memory.ptr);
    self->copy.resize(self->snapshot.count());
    return self;
}

void checked(const BoundSnapshot& self, const f64& values) {
    require(values.ndim() == 1 && static_cast<std::size_t>(values.shape(0)) == self.snapshot.count(),
            "ValueSnapshot: values must be float64 [count]");
}

}  // namespace

void bind_value_snapshot(py::module_& m) {
    py::class_<BoundSnapshot>(m, "ValueSnapshot")
        .def(py::init(&create), py::arg("count"), py::arg("memory"))
        .def_static("attach", &attach, py::arg("memory"))
        .def_static("bytes_needed", &ValueSnapshot::bytes, py::arg("count"))
        .def_property_readonly("count", [](const BoundSnapshot& s) { return s.snapshot.count(); })
        .def(
            "write",
            [](BoundSnapshot& s, const f64& values) {
                checked(s, values);
                s.snapshot.write(values.data());
            },
            py::arg("values").noconvert())
        .def(
            "poll",
            [](BoundSnapshot& s, f64& values) {
                checked(s, values);
                if (!s.snapshot.poll(s.copy.data())) return false;
                std::copy(s.copy.begin(), s.copy.end(), values.mutable_data());
                return true;
            },
            py::arg("values").noconvert())
        .def(
            "read_back",
            [](const BoundSnapshot& s, f64& values) {
                checked(s, values);
                return s.snapshot.read_back(values.mutable_data());
            },
            py::arg("values").noconvert());
}
