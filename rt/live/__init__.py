"""The engine process with its hop loop, the recorder process, devices and streams, the status in shared
memory.
"""
