"""Steering by a MIDI controller: its ports, its map, learning by moving a fader, its lights and motors."""
