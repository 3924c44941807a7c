"""From a spectrum to a mask per voice, without torch: the pitch of each voice (`peak_tracker` without
learning, `network_tracker` with it, `given_pitches` from a CSV), how loud each voice is (`comb_masks`,
`source_filter_masks`), both together (`model`).
"""
