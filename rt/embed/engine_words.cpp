// The line that asks for an engine and the one that it answers.
#include "engine_words.hpp"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <sstream>

namespace rtsep {

namespace {

std::string json_text(const std::string& text) {
    if (text.empty()) return "null";
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (static_cast<unsigned char>(c) < 0x20) {
            char escaped[8];
            std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
            out += escaped;
        } else {
            out += c;
        }
    }
    return out + '"';
}

std::string json_list(const std::string& names) {
    if (names.empty()) return "null";
    std::string out = "[", name;
    std::istringstream parts(names);
    while (std::getline(parts, name, ',')) out += (out.size() > 1 ? "," : "") + json_text(name);
    return out + "]";
}

// The Python in whose site-packages this library lies: PREFIX/lib/python3.11/site-packages/... belongs to PREFIX/bin.
std::string python_beside() {
    Dl_info self;
    if (!dladdr(reinterpret_cast<void*>(&python_beside), &self) || !self.dli_fname) return "python3";
    const std::string file = self.dli_fname;
    const std::size_t at = file.rfind("/lib/python");
    if (at == std::string::npos) return "python3";
    const std::string python = file.substr(0, at) + "/bin/python3";
    return access(python.c_str(), X_OK) == 0 ? python : "python3";
}

}  // namespace

std::string options_line(const EngineOptions& o, bool attach) {
    std::ostringstream line;
    line << "{\"samplerate\":" << o.samplerate << ",\"channels\":" << o.channels << ",\"model\":" << json_text(o.model)
         << ",\"stems\":" << json_list(o.stems) << ",\"voices\":" << (o.voices ? std::to_string(o.voices) : "null")
         << ",\"latency_ms\":" << o.latency_ms << ",\"max_block_frames\":" << o.max_block_frames
         << ",\"block_is_fixed\":" << (o.block_is_fixed ? "true" : "false")
         << ",\"attach\":" << (attach ? "true" : "false") << "}\n";
    return line.str();
}

bool read_facts(const std::string& answer, EngineFacts* facts, std::string* error) {
    const std::vector<std::string> fields = split(answer, '\t');
    if (fields.size() < 8 || fields[0] != "ready") {
        *error = fields.size() >= 2 ? fields[1] : "the engine does not answer; install this rtsep in the Python it runs in";
        return false;
    }
    facts->hop = std::stoul(fields[1]);
    facts->latency_samples = std::stoul(fields[2]);
    facts->algorithmic_samples = std::stoul(fields[3]);
    facts->bytes = std::stoul(fields[4]);
    facts->scheduling = fields[5];
    facts->stems.assign(fields.begin() + 6, fields.end());
    return true;
}

std::string python_of(const EngineOptions& options) {
    if (!options.python.empty()) return options.python;
    const char* named = std::getenv("RTSEP_PYTHON");
    return named && *named ? named : python_beside();
}

std::vector<std::string> split(const std::string& text, char at) {
    std::vector<std::string> fields;
    std::string field;
    std::istringstream parts(text);
    while (std::getline(parts, field, at)) fields.push_back(field);
    return fields;
}

}  // namespace rtsep
