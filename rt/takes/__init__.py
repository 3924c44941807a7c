"""What a live session leaves on disk: takes, numbered, without a second missing.

The engine writes hops with their places on the show's clock into shared memory (`take_feed`, `hop_record`,
`take_memory`). The recorder process (`recorder_process`) puts every frame where it belongs (`take_writer`):
what could not be had is silence of the right length and listed in `take.json` (`take_log`). The session
keeps the recorder alive (`take_keeper`); what a crash left is repaired at the next start (`recovery`).
"""
