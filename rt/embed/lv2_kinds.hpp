// Which plugins there are. `lv2_bundle.py`, which writes their Turtle files, has the same table; a test loads every
// plugin of both.
#pragma once

namespace rtsep {

struct Kind {
    const char *uri, *model, *stems;
    unsigned voices, channels, outputs;  // outputs: stems, the residual among them
};

constexpr Kind kKinds[] = {
    {"urn:rtsep:choir-2", "choir", "", 2, 1, 3},
    {"urn:rtsep:choir-3", "choir", "", 3, 1, 4},
    {"urn:rtsep:choir-4", "choir", "", 4, 1, 5},
    {"urn:rtsep:choir-4-stereo", "choir", "", 4, 2, 5},
    {"urn:rtsep:band", "band", "", 0, 2, 5},
    {"urn:rtsep:vocals", "band", "vocals", 0, 2, 2},
};

}  // namespace rtsep
