// The bindings of the JACK client and of what keeps its connections.
#include <memory>
#include <utility>

#include <pybind11/stl.h>

#include "jack_client.hpp"
#include "jack_wires.hpp"
#include "module.hpp"

namespace {

using rtsep::JackClient;
using rtsep::JackWires;
using rtsep::Wire;
using Pairs = std::vector<std::pair<std::string, std::string>>;
using NoGil = py::call_guard<py::gil_scoped_release>;

Pairs pairs_of(const std::vector<Wire>& wires) {
    Pairs pairs;
    for (const Wire& wire : wires) pairs.emplace_back(wire.source, wire.target);
    return pairs;
}

std::vector<Wire> wires_of(const Pairs& pairs) {
    std::vector<Wire> wires;
    for (const auto& [source, target] : pairs) wires.push_back({source, target});
    return wires;
}

std::unique_ptr<JackClient> open_client(const std::string& name, const std::vector<std::string>& libraries) {
    const rtsep::jack::Library& library = rtsep::jack::library(libraries);
    return std::make_unique<JackClient>(library, name);
}

std::vector<std::tuple<std::string, bool, bool>> ports(const JackClient& client) {
    std::vector<std::tuple<std::string, bool, bool>> found;
    for (const rtsep::GraphPort& port : client.graph_ports())
        found.emplace_back(port.name, (port.flags & rtsep::jack::kIsOutput) != 0,
                           (port.flags & rtsep::jack::kIsPhysical) != 0);
    return found;
}

}  // namespace

void bind_jack(py::module_& m) {
    m.def("load_jack", [](const std::vector<std::string>& names) { rtsep::jack::library(names); }, py::arg("libraries"));
    py::class_<JackClient>(m, "JackClient")
        .def(py::init(&open_client), py::arg("name"), py::arg("libraries"), NoGil())
        .def("register_ports", &JackClient::register_ports, py::arg("inputs"), py::arg("outputs"), py::arg("spare"),
             NoGil())
        .def("add_output", &JackClient::add_output, py::arg("name"), NoGil())
        .def("start", &JackClient::start, py::arg("latency"), NoGil())
        .def("play", &JackClient::play, py::arg("callback"), py::arg("latency"), NoGil())
        .def("silence", &JackClient::silence, NoGil())
        .def("close", &JackClient::close, NoGil())
        .def("ports", &ports, NoGil())
        .def("wires", [](const JackClient& self) { return pairs_of(self.wires()); }, NoGil())
        .def_property_readonly("name", &JackClient::name)
        .def_property_readonly("alive", &JackClient::alive)
        .def_property_readonly("freewheeling", &JackClient::freewheeling)
        .def_property_readonly("samplerate", &JackClient::samplerate)
        .def_property_readonly("blocksize", &JackClient::blocksize)
        .def_property_readonly("load", &JackClient::load)
        .def_property_readonly("capture_latency", &JackClient::capture_latency)
        .def_property_readonly("playback_latency", &JackClient::playback_latency);
    py::class_<JackWires>(m, "JackWires")
        .def(py::init([](JackClient& client, const Pairs& wanted, std::vector<std::string> ports, std::string path) {
                 return std::make_unique<JackWires>(client, wires_of(wanted), std::move(ports), std::move(path));
             }),
             py::arg("client"), py::arg("wanted"), py::arg("ports"), py::arg("path"), py::keep_alive<1, 2>())
        .def("start", &JackWires::start)
        .def("add",
             [](JackWires& self, const Pairs& wanted, const std::vector<std::string>& ports) {
                 self.add(wires_of(wanted), ports);
             },
             py::arg("wanted"), py::arg("ports"))
        .def("stop", &JackWires::stop, NoGil())
        .def("try_lists",
             [](JackWires& self) -> std::optional<std::pair<Pairs, Pairs>> {
                 const auto lists = self.try_lists();
                 if (!lists) return std::nullopt;
                 return std::make_pair(pairs_of(lists->wanted), pairs_of(lists->waiting));
             })
        .def_property_readonly("version", &JackWires::version)
        .def_property_readonly("cannot_save", &JackWires::cannot_save);
}
