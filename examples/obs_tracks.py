"""A scene collection and a profile for OBS Studio in which every stem of rtsep has an audio track of its own.

    python examples/obs_tracks.py ~/Videos voice-1 voice-2 voice-3 voice-4 residual

writes both under ~/.config/obs-studio while OBS does not run, and prints how OBS is started and what rtsep is
given beside its other options. Recordings go to the folder: float32 samples, as the stems are. Run with OBS
29.
"""

import json
import os
import sys
from pathlib import Path

CLIENT = "OBS {}"  # OBS gives a JACK client the name of its source; its port is in_1
MOST_TRACKS = 6  # of OBS
PROFILE = """[General]
Name=rtsep

[Output]
Mode=Advanced

[AdvOut]
RecType=FFmpeg
FFOutputToFile=true
FFFilePath={folder}
FFFormat=matroska
FFExtension=mkv
FFVEncoder=libx264
FFVEncoderId=27
FFVBitrate=2500
FFAEncoder=pcm_f32le
FFAEncoderId=65557
FFAudioMixes={all_tracks}
{track_names}

[Audio]
SampleRate=48000
ChannelSetup=Mono
"""


def scene_collection(stems: list[str]) -> dict[str, object]:
    """A scene with one JACK input per stem, each on a track of its own."""
    sources: list[dict[str, object]] = [
        {
            "id": "jack_output_capture",  # OBS calls it "JACK Input Client"
            "name": CLIENT.format(stem),
            "settings": {"channels": 1, "startjack": False},
            "mixers": 1 << track,
        }
        for track, stem in enumerate(stems)
    ]
    items = [
        {"name": source["name"], "id": number, "visible": True} for number, source in enumerate(sources, 1)
    ]
    scene = {"id": "scene", "name": "rtsep", "settings": {"id_counter": len(stems), "items": items}}
    return {"name": "rtsep", "current_scene": "rtsep", "sources": [*sources, scene]}


def main() -> None:
    """Writes both files."""
    stems = sys.argv[2:]
    if not 1 <= len(stems) <= MOST_TRACKS:
        sys.exit(f"give a folder for recordings and 1 to {MOST_TRACKS} stems: OBS has {MOST_TRACKS} tracks")
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "obs-studio" / "basic"
    profile, scenes = home / "profiles" / "rtsep" / "basic.ini", home / "scenes" / "rtsep.json"
    for place in (profile, scenes):
        place.parent.mkdir(parents=True, exist_ok=True)
    names = "\n".join(f"Track{number}Name={stem}" for number, stem in enumerate(stems, 1))
    folder = Path(sys.argv[1]).expanduser().resolve()
    profile.write_text(PROFILE.format(folder=folder, all_tracks=(1 << len(stems)) - 1, track_names=names))
    scenes.write_text(json.dumps(scene_collection(stems), indent=1))
    wires = "; ".join(f"{stem}>{CLIENT.format(stem)}:in_1" for stem in stems)
    print("obs --collection rtsep --profile rtsep")
    print(f'--driver jack --connect "system:capture_1>in_1; {wires}"')


if __name__ == "__main__":
    main()
