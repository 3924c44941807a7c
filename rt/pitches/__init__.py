"""What the tracker knows, as files and as notes: F0 in a CSV file, MIDI notes with pitch bend in a file or on
a port.
"""
