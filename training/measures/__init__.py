"""SI-SDR, the excerpts and frames that count, pitches of stems and how a tracker is scored."""
